namespace Overlay.Raft.Consensus;

/// <summary>Durations and limits of a <see cref="RaftCore"/>. All members of a cluster should have the same.</summary>
public sealed record RaftOptions
{
    /// <summary>
    /// T: a follower that hears no leader campaigns after a random time in [T, 2T); a leader that does not hear from a
    /// majority for T, or whose disk does not complete a write for T, steps down.
    /// </summary>
    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>A tenth of <see cref="ElectionTimeout"/> is sound; at most half.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Entries' data in one Append; a single larger entry goes alone.</summary>
    public int MaxMessageBytes { get; init; } = 1 << 20;

    /// <summary>Appends on their way to one member and not acknowledged.</summary>
    public int MaxInflightMessages { get; init; } = 64;

    /// <summary>Entries' data on its way to one member and not acknowledged; one message may go beyond.</summary>
    public long MaxInflightBytes { get; init; } = 16 << 20;

    /// <summary>Entries' data proposed and not committed; a proposal is taken while less than this is open.</summary>
    public long MaxUncommittedBytes { get; init; } = 64 << 20;

    /// <summary>Entries' data in one <see cref="ApplyBatch"/>; a single larger entry goes alone.</summary>
    public int MaxApplyBytes { get; init; } = 4 << 20;

    /// <summary>Entries in one <see cref="ApplyBatch"/>.</summary>
    public int MaxApplyEntries { get; init; } = 4096;

    /// <summary>Writes that the disk has at once; what comes meanwhile goes into the next one together.</summary>
    public int MaxOutstandingWrites { get; init; } = 4;

    /// <summary>Reads that wait for their confirmation; more are answered as lost at once.</summary>
    public int MaxPendingReads { get; init; } = 16384;

    /// <summary>A learner that lags at most so many entries is caught up, see <see cref="MemberProgress.IsCaughtUp"/>.</summary>
    public int CaughtUpEntries { get; init; } = 64;

    /// <summary>Ask for votes without consequence first (Ongaro's thesis, 9.6): who cannot win does not disturb.</summary>
    public bool PreVote { get; init; } = true;

    /// <summary>A leader without a majority steps down, and who hears a leader gives no votes (thesis, 6.2 and 4.2.3).</summary>
    public bool CheckQuorum { get; init; } = true;

    /// <summary>A leader that is removed or made a learner steps down as soon as that holds.</summary>
    public bool StepDownOnRemoval { get; init; } = true;

    /// <summary>In words what cannot work; empty: nothing.</summary>
    public string Fault() =>
        HeartbeatInterval <= TimeSpan.Zero || ElectionTimeout < 2 * HeartbeatInterval
            ? "the heartbeat interval is positive and at most half the election time-out"
        : MaxMessageBytes < 1 || MaxInflightMessages < 1 || MaxInflightBytes < 1 || MaxUncommittedBytes < 1
            || MaxApplyBytes < 1 || MaxApplyEntries < 1 || MaxOutstandingWrites < 1 || MaxPendingReads < 1
            || CaughtUpEntries < 0
            ? "every limit is positive"
            : "";
}
