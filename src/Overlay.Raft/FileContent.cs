namespace Overlay.Raft;

/// <summary>A file as it was read.</summary>
/// <param name="Unreadable">Why the bytes could not be had; empty: they are all here.</param>
public readonly record struct FileContent(ReadOnlyMemory<byte> Bytes, string Unreadable = "");
