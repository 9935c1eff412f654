namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>All nodes start within a second and know one seed: when everybody sees everybody.</summary>
internal static class Bootstrap
{
    public static int Run(GossipSettings settings)
    {
        int[] sizes = settings.Nodes is { } one ? [one] : [100, 1000, 2000];
        foreach (int nodes in sizes)
        {
            string arm = settings.Arm ?? "overlayd";
            (double Took, double Bytes)[] runs = settings.ForEachSeed(1, seed => Once(seed, nodes, arm, settings.Verbose));
            string anchor = nodes switch { 1000 => "46", 2000 => "97", _ => "" };
            Figure.Print($"bootstrap_n{nodes}_{arm}", runs.Max(r => r.Took), "s", anchor, "memberlist (Rapid paper)");
            Figure.Print($"bootstrap_n{nodes}_{arm}_kbytes", runs.Max(r => r.Bytes), "kB/node");
        }

        return 0;
    }

    private static (double Took, double Bytes) Once(ulong seed, int nodes, string arm, bool verbose)
    {
        GossipWorld world = new(nodes, seed, GossipArm.Of(arm));
        Views views = new(world);
        world.Start(world.Nodes[0]);
        foreach (GossipNode node in world.Nodes.Skip(1))
        {
            world.Later(world.Prng.Between(TimeSpan.Zero, TimeSpan.FromSeconds(1)), () => world.Start(node, world.Nodes[0].Address));
        }

        TimeSpan? took = world.RunUntil(TimeSpan.FromSeconds(200), TimeSpan.FromMilliseconds(100), () =>
        {
            if (verbose && world.Now.Nanoseconds / 100_000_000 % 5 == 0)
            {
                Console.Error.WriteLine($"{world.Now} complete {views.Complete} of {nodes}, least {views.Least}, {world.Bytes >> 20} MiB");
            }

            return views.Complete == nodes;
        });
        return (took?.TotalSeconds ?? double.PositiveInfinity, world.Bytes / 1000.0 / nodes);
    }
}
