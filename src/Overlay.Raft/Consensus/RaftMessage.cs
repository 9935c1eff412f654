namespace Overlay.Raft.Consensus;

/// <summary>
/// A message between two members, of any kind; what a kind does not name is its default. <see cref="Wire.RaftMessageCodec"/>
/// has the bytes.
/// </summary>
public readonly record struct RaftMessage
{
    public MessageKind Kind { get; init; }

    public MemberId From { get; init; }

    public MemberId To { get; init; }

    /// <summary>The sender's term; in PreVote and a granted PreVoteResponse the term that the sender would campaign in.</summary>
    public ulong Term { get; init; }

    /// <summary>
    /// Append: term of the entry before the first. Votes: of the sender's last entry. A rejecting AppendResponse: of the
    /// entry at <see cref="RejectHint"/>, 0 if the follower does not know it. A refused vote: of the entry at <see cref="Index"/>.
    /// </summary>
    public ulong LogTerm { get; init; }

    /// <summary>
    /// Append: index of the entry before the first. AppendResponse: the last entry that is durable and equal to the
    /// leader's, or what was rejected. Votes: the sender's last entry; refused: what of the candidate's log is committed.
    /// ReadResponse: the index to wait for.
    /// </summary>
    public ulong Index { get; init; }

    /// <summary>Append, Heartbeat, InstallSnapshot: committed as the leader knows, in a heartbeat no further than the receiver has acknowledged.</summary>
    public ulong Commit { get; init; }

    /// <summary>
    /// Append: without gaps behind <see cref="Index"/>. In <see cref="RaftEffects.Messages"/> the memory is valid until the
    /// effects are cleared; whoever keeps a message longer keeps <see cref="Detached"/>. The entries' data stays as it is.
    /// </summary>
    public ReadOnlyMemory<LogEntry> Entries { get; init; }

    /// <summary>AppendResponse, VoteResponse, PreVoteResponse, ReadResponse (nobody can answer now): refused.</summary>
    public bool Reject { get; init; }

    /// <summary>A rejecting AppendResponse: where the logs may agree.</summary>
    public ulong RejectHint { get; init; }

    /// <summary>Vote: the leader asked for this election, so leases do not count.</summary>
    public bool Transfer { get; init; }

    /// <summary>
    /// Heartbeat and its response: the leader's position of reads, see <see cref="RaftCore.Read"/>. Read and its response:
    /// the asker's number of the request.
    /// </summary>
    public ulong Context { get; init; }

    /// <summary>InstallSnapshot.</summary>
    public SnapshotMark Snapshot { get; init; }

    /// <summary>InstallSnapshot: what holds at <see cref="Snapshot"/>.</summary>
    public Configuration? Configuration { get; init; }

    /// <summary>Append, Heartbeat: the sender's state machine has applied so far; 0: it says nothing of it.</summary>
    public ulong AppliedIndex { get; init; }

    /// <summary>Append, Heartbeat: the rolling hash of the sender's state at <see cref="AppliedIndex"/>.</summary>
    public ulong StateHash { get; init; }

    /// <summary>The same with entries in memory of their own, for whoever keeps it longer than the effects.</summary>
    public RaftMessage Detached() => Entries.IsEmpty ? this : this with { Entries = Entries.ToArray() };
}
