namespace Overlay.Raft;

/// <summary>One entry of the replicated log: opaque bytes at a place.</summary>
/// <param name="Index">1 and up, without gaps.</param>
/// <param name="Term">The leader's term that proposed it.</param>
public readonly record struct LogEntry(ulong Index, ulong Term, ReadOnlyMemory<byte> Data);
