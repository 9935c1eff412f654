using Overlay.Primitives;

namespace Overlay.Simulation.Whole;

/// <summary>One schedule of whole managers: faults, then calm in which the cluster must work again and agree.</summary>
internal static class WholeRun
{
    /// <summary>Ten election time-outs; repair and replacement of managers take some more.</summary>
    private const long Patience = 10 * WholeSwarm.Second;

    public static ScheduleVerdict<WholeSometimes> Of(ulong seed, bool trace)
    {
        WholeWorld world = new(seed, trace);
        string? failure = null;
        try
        {
            Play(world);
        }
        catch (ViolationException violation)
        {
            failure = $"at {world.Now / 1e9:F3} s: {violation.Message}";
        }
        catch (Exception broken)
        {
            failure = $"at {world.Now / 1e9:F3} s: a manager stopped: {broken.Message}\n{broken.StackTrace}";
        }

        foreach (WholeNode node in world.Nodes)
        {
            world.Mix(node.Disk.Print);
        }

        return new(seed, failure, world.Swarm, world.Counters, world.Transcript, world.Events, world.Now, world.Clients.Acknowledged);
    }

    private static void Play(WholeWorld world)
    {
        world.Begin();
        world.RunUntil(world.Swarm.FaultTime, null);
        world.Heal();
        world.Counters.Add(WholeSometimes.Healed);
        ulong decided = world.Truth.Last;
        long acknowledged = world.Clients.Acknowledged;
        if (!world.RunUntil(world.Now + Patience, () => world.Truth.Last > decided && world.Leader is not null)
            || !world.RunUntil(world.Now + Patience, () => world.Clients.Acknowledged > acknowledged))
        {
            Refused(world, "no leader and no decision");
            return;
        }

        if (!world.RunUntil(world.Now + (3 * Patience), () => world.Operator.IsDone && Array.TrueForAll(world.Nodes, n => n.IsUp)))
        {
            Refused(world, "not all members are back");
            return;
        }

        world.Clients.Stop();
        if (!world.RunUntil(world.Now + (3 * Patience), () => world.Clients.AreIdle && AllEqual(world)))
        {
            throw new ViolationException($"liveness: not all have the whole log; {Describe(world)}");
        }

        world.Clients.Judge();
    }

    /// <summary>Of what no majority has any more nothing is made up: the managers wait, and say for what.</summary>
    private static void Refused(WholeWorld world, string what)
    {
        bool waits = Array.Exists(world.Nodes, static n => n.Repair is not null || n.Id.Value > 256 || n.IsLost);
        if (world.Swarm.Decay != Decay.Anywhere || !waits)
        {
            throw new ViolationException($"liveness: {what} after calm; {Describe(world)}");
        }

        world.Counters.Add(WholeSometimes.RefusedForGood);
    }

    private static bool AllEqual(WholeWorld world)
    {
        ulong last = world.Truth.Last;
        return Array.TrueForAll(
                world.Nodes,
                node => !world.Truth.Configuration.Contains(node.Id)
                    || (node.IsUp && node.Core!.AppliedIndex == last && node.Loop!.Hash == world.Truth[last].Hash))
            && world.Leader is { } leader && leader.Core!.LastIndex == last;
    }

    private static string Describe(WholeWorld world) =>
        $"decided {world.Truth.Last}, {world.Truth.Configuration}; {string.Join(", ", world.Clients.Open)}; "
        + string.Join("; ", world.Nodes.Select(static n => n.Core is { } core
            ? $"{n} {core.Role} term {core.Term} leader {core.Leader} log {core.LastIndex} commit {core.CommitIndex} applied {core.AppliedIndex} "
                + core.Configuration
            : $"{n} {(n.Repair is { } repair ? $"repairs ({repair.Found.Damaged.Count} ranges, {repair.Next(Instant.Never).Why})" : "is down")}"));
}
