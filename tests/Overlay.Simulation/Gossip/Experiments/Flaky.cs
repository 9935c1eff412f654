using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// Rapid's experiments (ATC'18 §7): one in a hundred nodes loses 80 % of what comes in, or hears nothing for 20 s of
/// every 40. The best answer is to remove exactly those, once.
/// </summary>
internal static class Flaky
{
    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 1000;
        string arm = settings.Arm ?? "overlayd";
        foreach (string kind in (string[])["loss80", "flipflop"])
        {
            foreach (ulong seed in settings.SeedRange(1))
            {
                Once(seed, nodes, arm, kind, TimeSpan.FromSeconds(settings.Number("--seconds") ?? 180));
            }
        }

        return 0;
    }

    private static void Once(ulong seed, int nodes, string arm, string kind, TimeSpan duration)
    {
        GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
        world.StartAcquainted();
        Views views = new(world, acquainted: true);
        world.Run(TimeSpan.FromSeconds(5));
        GossipNode[] sick = [.. world.Nodes.Take(Math.Max(1, nodes / 100))];
        GossipNode observer = world.Nodes[nodes / 2];
        Instant start = world.Now;
        int removals = 0;
        int returns = 0;
        int healthyRemoved = 0;
        Action<GossipNode, GossipEvent>? before = world.Observer;
        world.Observer = (node, change) =>
        {
            before?.Invoke(node, change);
            if (node == observer && change is GossipEvent.MemberChanged { Member: var m, Previous: var previous })
            {
                bool ill = sick.Any(s => s.Name == m.Name);
                removals += m.State == MemberState.Dead ? 1 : 0;
                healthyRemoved += m.State == MemberState.Dead && !ill ? 1 : 0;
                returns += m.State == MemberState.Alive && previous == MemberState.Dead ? 1 : 0;
            }
        };
        foreach (GossipNode node in sick)
        {
            if (kind == "loss80")
            {
                node.LossIn = 0.8;
            }
            else
            {
                Flip(world, node, deaf: true);
            }
        }

        TimeSpan? all = null;
        while (world.Now - start < duration)
        {
            world.Run(TimeSpan.FromMilliseconds(250));
            if (all is null && sick.All(s => !views.Sees(observer, s.Index)))
            {
                all = world.Now - start;
            }
        }

        string name = $"flaky_{kind}_n{nodes}_{arm.Replace('-', '_')}";
        Figure.Print($"{name}_all_removed", all?.TotalSeconds ?? double.PositiveInfinity, "s", "never", "memberlist (Rapid paper)");
        Figure.Print($"{name}_removals_at_an_observer", removals, "count");
        Figure.Print($"{name}_returns_at_an_observer", returns, "count");
        Figure.Print($"{name}_healthy_removed", healthyRemoved, "count");
    }

    private static void Flip(GossipWorld world, GossipNode node, bool deaf)
    {
        node.LossIn = deaf ? 1 : 0;
        world.Later(TimeSpan.FromSeconds(20), () => Flip(world, node, !deaf));
    }
}
