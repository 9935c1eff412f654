namespace Overlay.Raft.Repair;

public enum RepairStep
{
    /// <summary>Others are asked; nobody may vote, acknowledge or campaign meanwhile.</summary>
    Waiting,

    /// <summary>Every damaged entry is known: write <see cref="LogRepair.Right"/>.</summary>
    Write,

    /// <summary>The entry at the index was never committed: write what is right before it, and cut off the rest.</summary>
    Cut,

    /// <summary>Take this member's snapshot; what is not inside is asked for again.</summary>
    TakeSnapshot,
}

/// <summary>What is to be done now.</summary>
/// <param name="From">Of a cut: the first index that goes.</param>
/// <param name="Member">Of a snapshot: whose.</param>
/// <param name="Snapshot">Of a snapshot: which, or a newer one.</param>
/// <param name="Why">While it waits: for what, for the operator.</param>
public readonly record struct RepairOutcome(RepairStep Step, ulong From, MemberId Member, SnapshotMark Snapshot, string Why);
