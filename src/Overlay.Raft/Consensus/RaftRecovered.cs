namespace Overlay.Raft.Consensus;

/// <summary>What a member's disk held when it started; a new member's is the default.</summary>
public sealed record RaftRecovered
{
    public HardState State { get; init; }

    /// <summary>The newest snapshot; (0, 0): none.</summary>
    public SnapshotMark Snapshot { get; init; }

    /// <summary>What holds at <see cref="Snapshot"/>: a new cluster's first members, or nobody for one that will be added.</summary>
    public Configuration Configuration { get; init; } = Configuration.Empty;

    /// <summary>
    /// The log without gaps, to its end. It may begin at or before the snapshot's index, and no later than behind it.
    /// </summary>
    public IReadOnlyList<LogEntry> Entries { get; init; } = [];

    /// <summary>What the state machine holds: at least <see cref="Snapshot"/>, and nothing that is not committed.</summary>
    public ulong Applied { get; init; }
}
