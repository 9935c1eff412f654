namespace Overlay.Simulation.Raft;

/// <summary>How one schedule went.</summary>
/// <param name="Failure">Null: well.</param>
/// <param name="Time">Nanoseconds of virtual time.</param>
internal sealed record RaftVerdict(
    ulong Seed, string? Failure, RaftSwarm Swarm, RaftCounters Counters, ulong Transcript, long Events, long Time, long Acknowledged);
