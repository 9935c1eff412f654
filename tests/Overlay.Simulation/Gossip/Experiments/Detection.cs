using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>One crash among n nodes with loss: when every observer calls it dead, and what that costs.</summary>
internal static class Detection
{
    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 100;
        string[] arms = settings.Arm is { } one ? [one] : ["memberlist-faithful", "overlayd", "overlayd-local"];
        foreach (string arm in arms)
        {
            Outcome[] runs = settings.ForEachSeed(100, seed => Once(seed, nodes, settings.Number("--loss") ?? 0.01, arm));
            List<double> delays = [.. runs.SelectMany(r => r.Delays)];
            List<double> spread = [.. runs.Select(r => r.Delays.Max() - r.Delays.Min())];
            string name = $"detect_n{nodes}_{arm.Replace('-', '_')}";
            bool lan = arm != "overlayd-local";
            Figure.Print($"{name}_p50", Figure.Percentile(delays, 0.5), "s", lan ? "9.86" : "", "memberlist, real");
            Figure.Print($"{name}_p99", Figure.Percentile(delays, 0.99), "s", lan ? "11.98" : "", "memberlist, real");
            if (arm.StartsWith("overlayd", StringComparison.Ordinal))
            {
                // What the layers above act on: losses wait a moment for others, to be one change together.
                List<double> views = [.. runs.SelectMany(r => r.Views)];
                Figure.Print($"{name}_view_p50", Figure.Percentile(views, 0.5), "s");
                Figure.Print($"{name}_view_p99", Figure.Percentile(views, 0.99), "s");
            }

            Figure.Print($"{name}_first_to_last", Figure.Percentile(spread, 0.5), "s", lan ? "0.38" : "", "memberlist, real");
            Figure.Print($"{name}_bytes", runs.Average(r => r.BytesPerSecond), "B/node/s");
            Figure.Print($"{name}_false_deaths", runs.Sum(r => r.FalseDeaths), "count");
            Figure.Print($"{name}_undetected", runs.Sum(r => r.Missing), "count");
        }

        return 0;
    }

    private static Outcome Once(ulong seed, int nodes, double loss, string arm)
    {
        // Tables are compared in an interval of their own, which memberlist has not; `idle` counts it.
        GossipArm rules = GossipArm.Of(arm);
        GossipWorld world = new(nodes, seed, rules with { Options = rules.Options with { TableSyncInterval = TimeSpan.FromDays(365) } })
        {
            Loss = loss,
        };
        world.StartAcquainted();
        world.Run(TimeSpan.FromSeconds(20) + world.Prng.Between(TimeSpan.Zero, TimeSpan.FromSeconds(5)));
        GossipNode victim = world.Nodes[world.Prng.Next(nodes)];
        long before = world.Bytes;
        Instant crash = world.Now;
        List<double> delays = [];
        List<double> views = [];
        int wrong = 0;
        world.Observer = (_, change) =>
        {
            if (change is GossipEvent.ViewChanged { Lost: var lost } && lost.Contains(victim.Name))
            {
                views.Add((world.Now - crash).TotalSeconds);
            }
            else if (change is GossipEvent.MemberChanged { Member.State: MemberState.Dead, Previous: not MemberState.Dead } dead)
            {
                bool right = dead.Member.Name == victim.Name;
                wrong += right ? 0 : 1;
                if (right)
                {
                    delays.Add((world.Now - crash).TotalSeconds);
                }
            }
        };
        world.Crash(victim);
        world.Run(TimeSpan.FromSeconds(60));
        return new(delays, views, wrong, nodes - 1 - delays.Count, (world.Bytes - before) / 60.0 / (nodes - 1));
    }

    private sealed record Outcome(List<double> Delays, List<double> Views, int FalseDeaths, int Missing, double BytesPerSecond);
}
