namespace Overlay.Simulation.Whole;

/// <summary>How one schedule went.</summary>
/// <param name="Failure">Null: as it must.</param>
internal sealed record WholeVerdict(
    ulong Seed, string? Failure, WholeSwarm Swarm, WholeCounters Counters, ulong Transcript, long Events, long Time, long Acknowledged);
