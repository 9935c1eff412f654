namespace Overlay.Raft.Consensus;

/// <summary>What a leader knows of a member.</summary>
/// <param name="Match">The last entry known to be durable there and equal.</param>
/// <param name="Next">The next entry to send.</param>
/// <param name="PendingSnapshot">In state Snapshot: the index that it will have.</param>
/// <param name="RecentlyActive">Heard from since the last check of the majority.</param>
/// <param name="Inflight">Appends on their way.</param>
/// <param name="IsCaughtUp">A learner of which this is true can be made a voter.</param>
public readonly record struct MemberProgress(
    MemberId Member, ulong Match, ulong Next, ProgressState State, ulong PendingSnapshot, bool RecentlyActive,
    int Inflight, bool IsLearner, bool IsCaughtUp);
