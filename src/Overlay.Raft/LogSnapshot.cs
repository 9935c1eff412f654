namespace Overlay.Raft;

/// <summary>A state machine's bytes after all entries up to an index.</summary>
/// <param name="Index">The last entry inside.</param>
/// <param name="Term">Of that entry.</param>
public sealed record LogSnapshot(ulong Index, ulong Term, ReadOnlyMemory<byte> Data);
