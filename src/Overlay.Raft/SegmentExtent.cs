namespace Overlay.Raft;

/// <summary>A segment that has a successor.</summary>
/// <param name="Last">
/// The last of its entries that counts: the one before the first of any later segment. Below <paramref name="First"/>: none.
/// </param>
public readonly record struct SegmentExtent(string Name, ulong First, ulong Last);
