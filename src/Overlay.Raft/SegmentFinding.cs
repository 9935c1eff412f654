namespace Overlay.Raft;

/// <summary>A segment, and which of its entries count.</summary>
/// <param name="Last">
/// The last entry before those of a later segment; below <paramref name="First"/>: none of its entries count.
/// <see cref="ulong.MaxValue"/>: nothing follows.
/// </param>
/// <param name="Scan">Null: it could not be read, or is another's.</param>
public sealed record SegmentFinding(string Name, ulong Id, ulong First, ulong Last, SegmentScan? Scan);
