using Overlay.Primitives;

namespace Overlay.Simulation;

/// <summary>What one run is like; all of it drawn from the seed.</summary>
internal sealed record RunOptions(int Nodes, double Loss, double Duplication, int MaxLatencyMs, int FaultSeconds, int QuarantineSeconds)
{
    /// <summary>How long one gossip key seals.</summary>
    public int KeySeconds => 15 + (FaultSeconds % 20);

    public static RunOptions Draw(Prng prng) => new(
        5 + prng.Next(prng.Chance(0.15) ? 16 : 5),
        prng.Chance(0.3) ? 0 : prng.NextDouble() * 0.2,
        prng.NextDouble() * 0.05,
        1 + prng.Next(60),
        30 + prng.Next(50),
        5 + prng.Next(20));
}
