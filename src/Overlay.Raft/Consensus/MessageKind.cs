namespace Overlay.Raft.Consensus;

/// <summary>What a <see cref="RaftMessage"/> says. The values are on wires.</summary>
public enum MessageKind : byte
{
    None = 0,
    Append = 1,
    AppendResponse = 2,
    Vote = 3,
    VoteResponse = 4,
    PreVote = 5,
    PreVoteResponse = 6,
    Heartbeat = 7,
    HeartbeatResponse = 8,

    /// <summary>Behind it come a snapshot's bytes, by a way of their own: see <see cref="RaftEffects.SnapshotsWanted"/>.</summary>
    InstallSnapshot = 9,

    /// <summary>The leader hands over: campaign at once.</summary>
    TimeoutNow = 10,
    Read = 11,
    ReadResponse = 12,
}
