using Overlay.Primitives;

namespace Overlay.Simulation.Raft;

/// <summary>One schedule: faults, then calm in which the cluster must work again and agree.</summary>
internal static class RaftRun
{
    /// <summary>The options' election time-out is one second.</summary>
    private const long Liveness = 10 * RaftSwarm.Second;

    public static ScheduleVerdict<RaftSometimes> Of(ulong seed, bool trace)
    {
        RaftWorld world = new(seed, trace);
        string? failure = null;
        try
        {
            Play(world, seed);
        }
        catch (ViolationException violation)
        {
            failure = $"at {world.Now / 1e9:F3} s: {violation.Message}";
        }
        catch (InvariantException broken)
        {
            failure = $"at {world.Now / 1e9:F3} s: the core stopped: {broken.Message}\n{broken.StackTrace}";
        }

        return new(seed, failure, world.Swarm, world.Counters, world.Transcript, world.Events, world.Now, world.Clients.Acknowledged);
    }

    private static void Play(RaftWorld world, ulong seed)
    {
        world.Begin();
        world.RunUntil(world.Swarm.FaultTime, null);
        world.Heal();
        world.Counters.Add(RaftSometimes.Healed);
        ulong committed = world.Log.Last;
        long acknowledged = world.Clients.Acknowledged;
        // Without PreVote a candidate that cannot win may stay a term ahead of the one that can, until chance lets that one pass.
        long calm = world.Swarm.Options.PreVote ? Liveness : 8 * Liveness;
        if (!world.RunUntil(world.Now + calm, () => HasCommitted(world, committed)))
        {
            throw new ViolationException($"liveness: no leader and commit within {calm / RaftSwarm.Second} election time-outs of calm; {Describe(world)}");
        }

        if (!world.RunUntil(world.Now + (2 * Liveness), () => world.Clients.Acknowledged > acknowledged))
        {
            throw new ViolationException($"liveness: no client is answered within 20 more election time-outs of calm; {Describe(world)}");
        }

        world.Clients.Stop();
        if (!world.RunUntil(world.Now + (2 * Liveness), () => world.Clients.AreIdle && AllEqual(world)))
        {
            throw new ViolationException($"liveness: not all members have the whole log; {Describe(world)}");
        }

        world.Clients.Judge(everyOrder: seed % 4 == 0);
    }

    /// <summary>A commit since, or a leader that has committed all it has, in its own term.</summary>
    private static bool HasCommitted(RaftWorld world, ulong since) =>
        world.Leader is { Core: { } core }
        && (world.Log.Last > since || (core.CommitIndex == core.LastIndex && core.TermAt(core.CommitIndex) == core.Term));

    private static bool AllEqual(RaftWorld world)
    {
        ulong last = world.Log.Last;
        foreach (RaftSimNode node in world.Nodes)
        {
            if (node.Applied != last && world.Log.ConfigurationAt(last).Contains(node.Id))
            {
                return false;
            }
        }

        return world.Leader is { } leader && leader.Core!.LastIndex == last;
    }

    private static string Describe(RaftWorld world) =>
        $"committed {world.Log.Last}, {world.Log.ConfigurationAt(world.Log.Last)}; "
        + string.Join("; ", world.Nodes.Select(static n => n.Core is { } core
            ? $"{n} {n.Id} {core.Role} term {core.Term} leader {core.Leader} log {core.LastIndex} commit {core.CommitIndex} applied {n.Applied}"
            : $"{n} down"));
}
