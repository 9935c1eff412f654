namespace Overlay.Raft.Repair;

/// <summary>How patiently a member asks.</summary>
public sealed record RepairOptions
{
    /// <summary>From one question to the next; who has answered all is not asked again.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>So long entries are waited for before a snapshot is taken in their place.</summary>
    public TimeSpan SnapshotAfter { get; init; } = TimeSpan.FromSeconds(3);
}
