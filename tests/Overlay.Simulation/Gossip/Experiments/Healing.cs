namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>Two halves that do not hear each other for long, then do: when everybody sees everybody again.</summary>
internal static class Healing
{
    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 1000;
        string arm = settings.Arm ?? "overlayd";
        TimeSpan apart = TimeSpan.FromSeconds(settings.Number("--seconds") ?? 3600);
        foreach (ulong seed in settings.SeedRange(1))
        {
            GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
            world.StartAcquainted();
            Views views = new(world, acquainted: true);
            world.Run(TimeSpan.FromSeconds(5));
            foreach (GossipNode node in world.Nodes)
            {
                node.Group = node.Index % 2;
            }

            world.Run(apart);
            bool halved = world.Nodes.All(n => views.CountOf(n) == (nodes + 1 - (n.Index % 2)) / 2);
            long before = world.Bytes;
            foreach (GossipNode node in world.Nodes)
            {
                node.Group = 0;
            }

            TimeSpan? whole = world.RunUntil(TimeSpan.FromSeconds(120), TimeSpan.FromMilliseconds(100), () =>
            {
                if (settings.Verbose)
                {
                    Console.Error.WriteLine($"{world.Now} complete {views.Complete}, least {views.Least}, {(world.Bytes - before) >> 20} MiB");
                }

                return views.Complete == nodes;
            });
            string name = $"heal_n{nodes}_{apart.TotalSeconds:0}s_{arm.Replace('-', '_')}";
            Figure.Print($"{name}_parted", halved ? 1 : 0, "bool");
            Figure.Print($"{name}_whole_after", whole?.TotalSeconds ?? double.PositiveInfinity, "s", "never", "memberlist");
            Figure.Print($"{name}_kbytes", (world.Bytes - before) / 1000.0 / nodes, "kB/node");
        }

        return 0;
    }
}
