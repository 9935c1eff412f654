namespace Overlay.Raft;

/// <summary>What a member must never forget, and of which life and cluster it is.</summary>
/// <param name="Sequence">Rises with every change; of two copies that validate the later one holds.</param>
public sealed record MemberState(LogIdentity Identity, ulong Sequence, HardState Hard)
{
    /// <summary>Term and vote are encrypted, and no data key was at hand: they are not known.</summary>
    public bool IsClosed { get; init; }
}
