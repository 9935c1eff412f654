using Overlay.Cluster;
using Overlay.Gossip;
using Overlay.Primitives;
using Overlay.Simulation.Checks;
using Overlay.Simulation.World;
using Overlay.V1;

namespace Overlay.Simulation;

/// <summary>One seed from its first event to its verdict.</summary>
internal static class Run
{
    private static readonly TimeSpan OutliveTime = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan DropTime = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan CutTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan HealTime = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan KeyTime = TimeSpan.FromSeconds(12);
    private static readonly TimeSpan QuietLimit = TimeSpan.FromSeconds(150);

    /// <param name="Failure">Null: everything held.</param>
    public sealed record Verdict(ulong Seed, RunOptions Options, ulong Transcript, Counters Counters, string? Failure);

    public static Verdict Of(ulong seed, bool trace)
    {
        Simulator simulator = new(seed, trace);
        RunOptions options = RunOptions.Draw(simulator.Prng);
        string? failure;
        try
        {
            failure = Live(simulator, options);
        }
        catch (Exception e) when (e is ViolationException or InvariantException or InvalidOperationException
            or ArgumentException or FormatException or KeyNotFoundException or NullReferenceException)
        {
            // A seed's failure is its verdict; the other seeds go on.
            failure = $"at {simulator.Now}: {(e is ViolationException ? e.Message : e.ToString())}";
        }

        return new(seed, options, simulator.Transcript, simulator.Counters, failure);
    }

    private static string? Live(Simulator simulator, RunOptions options)
    {
        SimWorld world = new(simulator, options);
        for (int i = 0; i < 2; i++)
        {
            world.Users.CreateNetwork();
        }

        simulator.Run(TimeSpan.FromSeconds(3));
        Instant end = simulator.Now + TimeSpan.FromSeconds(options.FaultSeconds);
        while (simulator.Now < end)
        {
            world.Users.Step();
            simulator.Run(simulator.Ms(0, 400));
        }

        world.Healed = true;
        world.Users.DrawHealth();
        Instant healed = simulator.Now;
        string? missing;
        do
        {
            world.Network.Heal();
            world.Manager.ReconnectAll();
            simulator.Run(TimeSpan.FromSeconds(5));
            missing = Convergence.Missing(world);
        }
        while (missing is not null && simulator.Now - healed < QuietLimit);
        return missing is null
            ? CutOff(world) ?? Drain(world) ?? Rekey(world) ?? Outlive(world)
            : $"not converged {QuietLimit.TotalSeconds} s after the last fault: {missing}";
    }

    /// <summary>
    /// A worker is cut off from everybody: soon nothing of it is left for any other node, in names and forwarding, and
    /// soon after healing all is as before.
    /// </summary>
    private static string? CutOff(SimWorld world)
    {
        Simulator simulator = world.Simulator;
        SimNode[] live = [.. world.Nodes.Where(static n => !n.Gone)];
        SimNode[] workers = [.. live.Where(n => n != world.Nodes[0])];
        if (live.Length < 4 || workers.Length == live.Length)
        {
            return null;
        }

        // Longer than a return must last for the next loss not to count as flapping.
        simulator.Run(SimNode.FlapWindow + TimeSpan.FromSeconds(1));
        SimNode victim = workers[simulator.Prng.Next(workers.Length)];
        SimNode[] others = [.. live.Where(n => n != victim)];
        foreach (SimNode other in others)
        {
            world.Network.Cut(victim.Number, other.Number);
            world.Network.Cut(other.Number, victim.Number);
        }

        simulator.Run(CutTime);
        if (Convergence.Changed(others, victim) is { } kept)
        {
            return $"{CutTime.TotalSeconds} s after {victim.Number} was cut off: {kept}";
        }

        simulator.Counters.Add("fused cut");
        world.Network.Heal();
        simulator.Run(HealTime);
        return live.Select(n => Convergence.Changed(live, n)).FirstOrDefault(static m => m is not null) is { } missing
            ? $"{HealTime.TotalSeconds} s after {victim.Number} could be reached again: {missing}"
            : null;
    }

    /// <summary>
    /// A node is drained while another one hears nothing of the managers: as soon as all are said to have acknowledged that, no name and
    /// no kernel leads there any more. A host that may send there and is without its agent is waited for.
    /// </summary>
    private static string? Drain(SimWorld world)
    {
        Simulator simulator = world.Simulator;
        SimNode[] live = [.. world.Nodes.Where(static n => !n.Gone)];
        if (live.Length < 3)
        {
            return null;
        }

        SimNode drained = live[simulator.Prng.Next(live.Length)];
        SimNode[] others = [.. live.Where(n => n != drained)];
        SimNode deaf = others[simulator.Prng.Next(others.Length)];
        bool isWaitedFor = simulator.Prng.Chance(0.4) && Convergence.Meet(deaf, drained);
        world.Manager.Disconnect(deaf.Number);
        if (isWaitedFor)
        {
            deaf.Crash();
        }

        world.Manager.SetAvailability(drained, NodeAvailability.Drain);
        if (isWaitedFor)
        {
            simulator.Run(DrainTime);
            if (world.Manager.IsAcknowledged(drained))
            {
                return $"the drain of {drained.Number} was called acknowledged, and the agent of {deaf.Number} is down";
            }

            simulator.Counters.Add("drain kept back");
            // The gossip key may have been replaced meanwhile, which the managers alone tell.
            world.Manager.ReconnectAll();
            deaf.Boot();
        }

        Instant asked = simulator.Now;
        while (!world.Manager.IsAcknowledged(drained))
        {
            if (simulator.Now - asked > DrainTime)
            {
                return $"the drain of {drained.Number} was not acknowledged within {DrainTime.TotalSeconds} s";
            }

            simulator.Run(TimeSpan.FromMilliseconds(20));
        }

        if (others.Select(n => Convergence.LeadsTo(n, drained)).FirstOrDefault(static m => m is not null) is { } led)
        {
            return $"the drain of {drained.Number} was called acknowledged, and {led}";
        }

        simulator.Counters.Add("drain acknowledged");
        world.Manager.SetAvailability(drained, NodeAvailability.Active);
        world.Manager.ReconnectAll();
        simulator.Run(HealTime);
        return live.Select(n => Convergence.Changed(live, n)).FirstOrDefault(static m => m is not null) is { } missing
            ? $"{HealTime.TotalSeconds} s after the drain of {drained.Number} ended: {missing}"
            : null;
    }

    /// <summary>
    /// The gossip key is replaced while all is well, and then because a node is removed: no probe fails, no packet comes to
    /// a node that cannot open it, and nothing but the new key is left of what the removed node knew.
    /// </summary>
    private static string? Rekey(SimWorld world)
    {
        Simulator simulator = world.Simulator;
        // A probe that began before the last fault ended may fail that much later yet.
        SwimOptions options = SwimOptions.Lan;
        simulator.Run(options.ProbeInterval * options.AwarenessMaxMultiplier);
        if (!Rested(world))
        {
            return $"the gossip key was not replaced within {KeyTime.TotalSeconds} s";
        }

        SimNode[] live = [.. world.Nodes.Where(static n => !n.Gone)];
        (long Unopened, long Failed) before = Sum(live);
        for (int i = 0; i < 2; i++)
        {
            if (!world.Manager.TakeKeyStep(KeyStep.Begin) || !Rested(world))
            {
                return $"the gossip key was not replaced within {KeyTime.TotalSeconds} s, asked for";
            }

            if (Sum(live) != before)
            {
                return $"while the gossip key was replaced {Sum(live)} packets came unopened and probes failed, not {before}";
            }
        }

        if (live.Length < 5)
        {
            return null;
        }

        SimNode removed = live[1 + simulator.Prng.Next(live.Length - 1)];
        world.Users.Forget(removed, removed.Life);
        live = [.. live.Where(n => n != removed)];
        before = Sum(live);
        if (!Rested(world))
        {
            return $"the gossip key was not replaced within {KeyTime.TotalSeconds} s of the removal of {removed.Number}";
        }

        SimNode? kept = live.FirstOrDefault(static n => n.Mind!.Gossip.Keyring.Keys.Length != 1 || n.Mind.Gossip.Keyring.IsRevoked);
        simulator.Counters.Add("key revoked");
        return kept is not null ? $"node {kept.Number} has keys that the removed {removed.Number} knows"
            : Sum(live).Unopened != before.Unopened ? $"{Sum(live).Unopened - before.Unopened} packets came unopened"
            : null;
    }

    private static (long Unopened, long Failed) Sum(SimNode[] nodes) => (
        nodes.Sum(static n => n.Mind!.Gossip.Counters.Unopened), nodes.Sum(static n => n.Mind!.Gossip.Counters.ProbesFailed));

    /// <summary>No key is being replaced, and all have heard of that.</summary>
    private static bool Rested(SimWorld world)
    {
        Instant began = world.Simulator.Now;
        do
        {
            world.Simulator.Run(TimeSpan.FromSeconds(2));
        }
        while (world.Keys.Rotates && world.Simulator.Now - began < KeyTime);
        return !world.Keys.Rotates;
    }

    /// <summary>
    /// An agent dies and its host does not: for the others nothing may change at any moment. Then the host goes down
    /// too, and what was kept must go.
    /// </summary>
    private static string? Outlive(SimWorld world)
    {
        Simulator simulator = world.Simulator;
        SimNode[] live = [.. world.Nodes.Where(static n => !n.Gone)];
        SimNode agentless = live[simulator.Prng.Next(live.Length)];
        agentless.Crash();
        Instant died = simulator.Now;
        do
        {
            simulator.Run(TimeSpan.FromMilliseconds(500));
            if (Convergence.Changed(live, agentless) is { } changed)
            {
                return $"{simulator.Now - died} after only the agent of {agentless.Number} died: {changed}";
            }
        }
        while (simulator.Now - died < OutliveTime);

        if (Convergence.Unheld(live, agentless) is { } unheld)
        {
            return $"{OutliveTime.TotalSeconds} s after only the agent of {agentless.Number} died: {unheld}";
        }

        SimNode restarted = live[simulator.Prng.Next(live.Length)];
        if (restarted != agentless)
        {
            restarted.Crash();
            restarted.Boot();
            for (int i = 0; i < 40; i++)
            {
                simulator.Run(TimeSpan.FromMilliseconds(500));
                if (Convergence.Changed(live, agentless) is { } lost)
                {
                    return $"after the restart of {restarted.Number} while only the agent of {agentless.Number} is down: {lost}";
                }
            }
        }

        agentless.PowerOff();
        simulator.Run(DropTime);
        return Convergence.Changed([.. live.Where(n => n != agentless)], agentless) is { } kept
            ? $"{DropTime.TotalSeconds} s after the host of the dead agent {agentless.Number} went down: {kept}"
            : null;
    }
}
