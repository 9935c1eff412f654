namespace Overlay.Raft;

/// <summary>A state machine's bytes after all entries up to an index.</summary>
/// <param name="Index">The last entry inside.</param>
/// <param name="Term">Of that entry.</param>
public sealed record LogSnapshot(ulong Index, ulong Term, ReadOnlyMemory<byte> Data)
{
    /// <summary>Who is in the cluster after that entry; empty: one manager alone.</summary>
    public Configuration Configuration { get; init; } = Configuration.Empty;

    /// <summary>
    /// Of a snapshot that came from another member in place of this one's log: the number of the first segment that may
    /// follow it. 0: it was taken of this log, which goes at least as far.
    /// </summary>
    public ulong FollowedBy { get; init; }

    /// <summary>Whose log it is in; none: one manager's alone.</summary>
    public MemberId Member { get; init; }

    /// <summary>Number of the data key that <see cref="Data"/> is encrypted with; 0: it is in the clear.</summary>
    public ulong Key { get; init; }

    /// <summary>Of the encryption.</summary>
    public ulong Salt { get; init; }

    public SnapshotMark Mark => new(Index, Term);
}
