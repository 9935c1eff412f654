namespace Overlay.Raft.Consensus;

/// <summary>The answer to a <see cref="RaftCore.Read"/>.</summary>
/// <param name="Index">A state that has applied this much holds every write acknowledged before the read was asked.</param>
/// <param name="Lost">Nobody can say; ask again, perhaps elsewhere.</param>
public readonly record struct ReadResult(ulong Context, ulong Index, bool Lost);
