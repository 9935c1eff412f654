using Overlay.Gossip;
using Overlay.Gossip.Wire;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// Some nodes read every packet half a second to two and a half late while their timers run on time; one other node
/// crashes. Whoever else is called dead is a false death. The grid is kinship's (gossip anchors §2.3).
/// </summary>
internal static class Starvation
{
    public static int Run(GossipSettings settings)
    {
        string arm = settings.Arm ?? "overlayd";
        string name = $"starve_{arm.Replace('-', '_')}";
        int bad = 0;
        int hidden = 0;
        int runs = 0;
        List<double> delays = [];
        foreach (int nodes in settings.Nodes is { } n ? [n] : (int[])[50, 200])
        {
            foreach (double starved in (double[])[0.01, 0.05, 0.10])
            {
                foreach (double loss in (double[])[0.01, 0.03, 0.05])
                {
                    Outcome[] cell = settings.ForEachSeed(200, seed => Once(seed, arm, nodes, starved, loss));
                    bad += cell.Count(c => c.FalseDeaths > 0);
                    hidden += cell.Count(c => c.Hidden > 0);
                    runs += cell.Length;
                    delays.AddRange(cell.SelectMany(c => c.Delays));
                    Console.Error.WriteLine(
                        $"{arm} n={nodes} starved {starved:P0} loss {loss:P0}: {cell.Count(c => c.FalseDeaths > 0)} of {cell.Length} runs with false deaths, "
                        + $"{cell.Average(c => c.FalseDeaths):0.##} deaths and {cell.Average(c => c.Suspicions):0} suspicions a run, "
                        + $"{cell.Average(c => c.BytesPerSecond):0} B/node/s, crash p50 {Figure.Percentile([.. cell.SelectMany(c => c.Delays)], 0.5):0.00} s");
                }
            }
        }

        Figure.Print($"{name}_runs", runs, "count", "3600", "kinship, Lifeguard");
        Figure.Print($"{name}_runs_with_false_death", bad, "count", $"{108.0 * runs / 3600:0.0}", "kinship, Lifeguard: 108 of 3600");
        Figure.Print($"{name}_runs_with_a_live_one_out_of_a_view", hidden, "count");
        Figure.Print($"{name}_crash_p50", Figure.Percentile(delays, 0.5), "s");
        Figure.Print($"{name}_crash_p99", Figure.Percentile(delays, 0.99), "s");
        return 0;
    }

    private static Outcome Once(ulong seed, string arm, int nodes, double starved, double loss)
    {
        GossipWorld world = new(nodes, seed, GossipArm.Of(arm)) { Loss = loss };
        world.StartAcquainted();
        int[] order = [.. Enumerable.Range(0, nodes)];
        world.Prng.Shuffle(order.AsSpan());
        foreach (int index in order.Take((int)Math.Round(starved * nodes)))
        {
            world.Nodes[index].Ailment = Ailment.Starved;
        }

        GossipNode victim = world.Nodes[order[^1]];
        int wrong = 0;
        int suspicions = 0;
        int hidden = 0;
        List<double> delays = [];
        world.Observer = (_, change) =>
        {
            if (change is GossipEvent.ViewChanged { Lost: var lost })
            {
                hidden += lost.Count(n => n != victim.Name);
            }
            else if (change is GossipEvent.MemberChanged { Member: var member })
            {
                suspicions += member.State == MemberState.Suspect ? 1 : 0;
                if (member.State == MemberState.Dead && member.Name == victim.Name && victim.CrashedAt is { } crash)
                {
                    delays.Add((world.Now - crash).TotalSeconds);
                }
                else if (member.State == MemberState.Dead)
                {
                    wrong++;
                }
            }
        };
        world.Run(TimeSpan.FromSeconds(60));
        world.Crash(victim);
        world.Run(TimeSpan.FromSeconds(60));
        return new(wrong, hidden, suspicions, delays, world.Bytes / 120.0 / nodes);
    }

    private sealed record Outcome(int FalseDeaths, int Hidden, int Suspicions, List<double> Delays, double BytesPerSecond);
}
