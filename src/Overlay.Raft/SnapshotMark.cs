namespace Overlay.Raft;

/// <summary>Where a snapshot stands: it holds all entries up to this one. (0, 0): before the first entry.</summary>
/// <param name="Index">The last entry inside.</param>
/// <param name="Term">Of that entry.</param>
public readonly record struct SnapshotMark(ulong Index, ulong Term);
