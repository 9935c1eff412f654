namespace Overlay.Raft;

/// <summary>A segment that has a successor.</summary>
/// <param name="Last">Its last entry: the one before the successor's first.</param>
public readonly record struct SegmentExtent(string Name, ulong First, ulong Last);
