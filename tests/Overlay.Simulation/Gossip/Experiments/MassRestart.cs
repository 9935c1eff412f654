using Overlay.Gossip.Wire;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>Every node restarts once within ten seconds, down for a second: when all views are right again.</summary>
internal static class MassRestart
{
    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 1000;
        string arm = settings.Arm ?? "overlayd";
        foreach (ulong seed in settings.SeedRange(1))
        {
            GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
            world.StartAcquainted();
            Views views = new(world, acquainted: true);
            world.Run(TimeSpan.FromSeconds(5));
            foreach (GossipNode node in world.Nodes)
            {
                TimeSpan down = world.Prng.Between(TimeSpan.Zero, TimeSpan.FromSeconds(9));
                world.Later(down, () => world.Crash(node));
                world.Later(down + TimeSpan.FromSeconds(1), () =>
                {
                    views.Restarted(node);
                    world.Start(node, [.. Enumerable.Range(0, 3).Select(i => world.Nodes[i].Address)]);
                });
            }

            world.Run(TimeSpan.FromSeconds(10));
            TimeSpan? right = world.RunUntil(TimeSpan.FromSeconds(200), TimeSpan.FromMilliseconds(100), () =>
            {
                if (settings.Verbose)
                {
                    Console.Error.WriteLine($"{world.Now} complete {views.Complete}, least {views.Least}, {world.Bytes >> 20} MiB");
                }

                return views.Complete == nodes && IsNew(world);
            });
            double took = right?.TotalSeconds ?? double.PositiveInfinity;
            Figure.Print(
                $"restart_n{nodes}_{arm.Replace('-', '_')}_right_after", took, "s", "wrong for long", "memberlist #311");
        }

        return 0;
    }

    /// <summary>A few nodes know the newest life of everybody.</summary>
    private static bool IsNew(GossipWorld world)
    {
        IEnumerable<GossipNode> sample = world.Nodes.Where(static n => n.Index % 97 == 0);
        return sample.All(n => n.Swim.Members.All(m => m.State == MemberState.Alive
            && m.BootId == world.Nodes[int.Parse(m.Name.AsSpan(5), System.Globalization.CultureInfo.InvariantCulture)].BootId));
    }
}
