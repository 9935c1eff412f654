using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// Rapid's experiments (ATC'18 §7): one in a hundred nodes loses 80 % of what comes in, or hears nothing for 20 s of
/// every 40. The best answer is to remove exactly those, once. Counted is the view, which names, forwarding and load
/// balancing follow, at several healthy observers.
/// </summary>
internal static class Flaky
{
    private const int Observers = 8;

    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 1000;
        string arm = settings.Arm ?? "overlayd";
        foreach (string kind in (string[])["loss80", "flipflop"])
        {
            foreach (ulong seed in settings.SeedRange(1))
            {
                new Course(seed, nodes, arm, kind, TimeSpan.FromSeconds(settings.Number("--seconds") ?? 180)).Go(settings.Verbose);
            }
        }

        return 0;
    }

    private sealed class Course(ulong seed, int nodes, string arm, string kind, TimeSpan duration)
    {
        private readonly GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
        private readonly SortedDictionary<int, Watch> watches = [];
        private SortedSet<string> sick = [];
        private int deaths;
        private Instant start;

        public void Go(bool trace)
        {
            world.StartAcquainted();
            world.Run(TimeSpan.FromSeconds(5));
            GossipNode[] ill = [.. world.Nodes.Take(Math.Max(1, nodes / 100))];
            sick = new(ill.Select(static n => n.Name), StringComparer.Ordinal);
            for (int i = 0; i < Observers; i++)
            {
                watches.TryAdd(ill.Length + (i * (nodes - ill.Length) / Observers), new());
            }

            start = world.Now;
            world.Observer = (node, change) => Hear(node, change, trace);
            foreach (GossipNode node in ill)
            {
                if (kind == "loss80")
                {
                    node.LossIn = 0.8;
                }
                else
                {
                    Flip(node, deaf: true);
                }
            }

            world.Run(duration);
            string name = $"flaky_{kind}_n{nodes}_{arm.Replace('-', '_')}";
            List<double> gone = [.. watches.Values.Select(static w => w.AllGone ?? double.PositiveInfinity)];
            Figure.Print($"{name}_all_gone_at_the_last_observer", gone.Max(), "s", "never", "memberlist (Rapid paper)");
            Figure.Print($"{name}_view_changes_an_observer", watches.Values.Average(static w => w.Changes), "count");
            Figure.Print($"{name}_view_changes_at_most", watches.Values.Max(static w => w.Changes), "count");
            Figure.Print($"{name}_observers_with_one_exact_cut", watches.Values.Count(static w => w is { Changes: 1, AllGone: not null }), "count");
            Figure.Print($"{name}_observers", watches.Count, "count");
            Figure.Print($"{name}_last_view_change", watches.Values.Max(static w => w.LastChange), "s");
            Figure.Print($"{name}_returns", watches.Values.Sum(static w => w.Returns), "count");
            Figure.Print($"{name}_healthy_removed", watches.Values.Sum(static w => w.HealthyLost), "count");
            Figure.Print($"{name}_removals_by_the_detector", (double)deaths / watches.Count, "count");
        }

        private void Hear(GossipNode node, GossipEvent change, bool trace)
        {
            if (!watches.TryGetValue(node.Index, out Watch? watch))
            {
                return;
            }

            if (change is GossipEvent.ViewChanged view)
            {
                double at = (world.Now - start).TotalSeconds;
                watch.Changes++;
                watch.LastChange = at;
                watch.Lost.UnionWith(view.Lost);
                watch.Lost.ExceptWith(view.Gained);
                watch.Returns += view.Gained.Count;
                watch.HealthyLost += view.Lost.Count(name => !sick.Contains(name));
                watch.AllGone ??= sick.IsSubsetOf(watch.Lost) ? at : null;
                if (trace)
                {
                    Console.Error.WriteLine($"{at:0.00} s, {node.Name}: lost {string.Join(' ', view.Lost)}; gained {string.Join(' ', view.Gained)}");
                }
            }
            else if (change is GossipEvent.MemberChanged told)
            {
                deaths += told is { Member.State: MemberState.Dead, Previous: not MemberState.Dead } ? 1 : 0;
                if (trace)
                {
                    Console.Error.WriteLine(
                        $"{(world.Now - start).TotalSeconds:0.00} s, {node.Name}: {told.Member.Name} is {told.Member.State} ({told.Member.Incarnation})");
                }
            }
        }

        private void Flip(GossipNode node, bool deaf)
        {
            node.LossIn = deaf ? 1 : 0;
            world.Later(TimeSpan.FromSeconds(20), () => Flip(node, !deaf));
        }
    }

    /// <summary>What one observer's view went through.</summary>
    private sealed class Watch
    {
        public SortedSet<string> Lost { get; } = new(StringComparer.Ordinal);

        public double? AllGone { get; set; }

        public int Changes { get; set; }

        public double LastChange { get; set; }

        public int Returns { get; set; }

        public int HealthyLost { get; set; }
    }
}
