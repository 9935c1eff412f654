namespace Overlay.Raft;

/// <summary>Entries that were durable and do not validate.</summary>
/// <param name="First">Their first index.</param>
/// <param name="Last">Their last.</param>
/// <param name="Term">Of all of them; 0: not known either.</param>
public readonly record struct DamagedRange(ulong First, ulong Last, ulong Term);
