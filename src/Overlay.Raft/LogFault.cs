namespace Overlay.Raft;

/// <summary>Why a log is not opened: something acknowledged is damaged or missing.</summary>
/// <param name="File">The name of the file; empty: the folder.</param>
/// <param name="Reason">With the offset, where there is one.</param>
public sealed record LogFault(string File, string Reason);
