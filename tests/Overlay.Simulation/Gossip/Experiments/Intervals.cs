using Overlay.Gossip;
using Overlay.Gossip.Wire;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// Lifeguard's interval experiment (arXiv 1707.00788): some of 128 nodes neither send nor receive for D, then work
/// for I, and so on for two minutes. A false positive is a node without an anomaly that is called dead.
/// </summary>
internal static class Intervals
{
    private static readonly int[] Anomalies = [1, 4, 8, 16, 32];
    private static readonly int[] BlockedMs = [512, 2048, 8192, 16384, 32768];
    private static readonly int[] NormalMs = [1, 16, 256, 4096, 16384];

    public static int Run(GossipSettings settings)
    {
        string[] arms = settings.Arm is { } one ? [one] : ["swim", "memberlist-faithful", "overlayd"];
        SortedDictionary<string, Outcome> totals = new(StringComparer.Ordinal);
        (int C, int D, int I)[] grid = [.. from c in Anomalies from d in BlockedMs from i in NormalMs select (c, d, i)];
        if (settings.Number("--every") is { } every)
        {
            // A share of the grid that still has every C, D and I in it.
            grid = [.. grid.Where((_, at) => at % (int)every == 0)];
        }

        foreach (string arm in arms)
        {
            totals[arm] = grid.AsParallel().AsOrdered().WithDegreeOfParallelism(settings.Jobs).Select(g =>
            {
                Outcome sum = settings.SeedRange(1).Select(seed => Once(seed, arm, g.C, g.D, g.I, settings.Nodes ?? 128))
                    .Aggregate(Outcome.Plus);
                if (settings.Verbose)
                {
                    Console.Error.WriteLine($"{arm} C={g.C} D={g.D} I={g.I}: {sum}");
                }

                return sum;
            }).Aggregate(Outcome.Plus);
            string name = $"lifeguard_{arm.Replace('-', '_')}";
            Figure.Print($"{name}_false_positives", totals[arm].All, "count");
            Figure.Print($"{name}_at_healthy", totals[arm].AtHealthy, "count");
            Figure.Print($"{name}_gbytes", totals[arm].Bytes / 1e9, "GB");
        }

        if (totals.TryGetValue("swim", out Outcome? swim))
        {
            foreach ((string arm, Outcome outcome) in totals.Where(t => t.Key != "swim"))
            {
                string name = $"lifeguard_{arm.Replace('-', '_')}";
                Figure.Print($"{name}_false_positives_share", 100.0 * outcome.All / swim.All, "%", "1.53", "Lifeguard paper");
                Figure.Print($"{name}_at_healthy_share", 100.0 * outcome.AtHealthy / Math.Max(1, swim.AtHealthy), "%", "1.89", "Lifeguard paper");
            }
        }

        return 0;
    }

    private static Outcome Once(ulong seed, string arm, int anomalies, int blockedMs, int normalMs, int nodes)
    {
        GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
        world.StartAcquainted();
        world.Run(TimeSpan.FromSeconds(10));
        long before = world.Bytes;
        int[] order = [.. Enumerable.Range(0, nodes)];
        world.Prng.Shuffle(order.AsSpan());
        HashSet<int> sick = [.. order.Take(anomalies)];
        long all = 0;
        long atHealthy = 0;
        world.Observer = (node, change) =>
        {
            if (change is GossipEvent.MemberChanged { Member: { State: MemberState.Dead } dead, Previous: not MemberState.Dead }
                && !sick.Contains(int.Parse(dead.Name.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture)))
            {
                all++;
                atHealthy += sick.Contains(node.Index) ? 0 : 1;
            }
        };
        foreach (int index in sick)
        {
            Block(world, world.Nodes[index], TimeSpan.FromMilliseconds(blockedMs), TimeSpan.FromMilliseconds(normalMs));
        }

        world.Run(TimeSpan.FromSeconds(120));
        return new(all, atHealthy, world.Bytes - before);
    }

    private static void Block(GossipWorld world, GossipNode node, TimeSpan blocked, TimeSpan normal)
    {
        node.Ailment = Ailment.Blocked;
        world.Later(blocked, () =>
        {
            world.Heal(node);
            world.Later(normal, () => Block(world, node, blocked, normal));
        });
    }

    private sealed record Outcome(long All, long AtHealthy, long Bytes)
    {
        public static Outcome Plus(Outcome a, Outcome b) => new(a.All + b.All, a.AtHealthy + b.AtHealthy, a.Bytes + b.Bytes);
    }
}
