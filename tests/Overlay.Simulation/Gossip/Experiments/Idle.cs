namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>Bytes per node and second when nothing happens, tables compared and all.</summary>
internal static class Idle
{
    public static int Run(GossipSettings settings)
    {
        int[] sizes = settings.Nodes is { } one ? [one] : [50, 100, 200, 500, 1000, 2000];
        foreach (int nodes in sizes)
        {
            foreach (string arm in settings.Arm is { } name ? [name] : (string[])["memberlist-faithful", "overlayd"])
            {
                GossipWorld world = new(nodes, settings.FirstSeed, GossipArm.Of(arm));
                world.StartAcquainted();
                world.Run(TimeSpan.FromSeconds(10));
                long before = world.Bytes;
                int seconds = nodes > 200 ? 60 : 240;
                world.Run(TimeSpan.FromSeconds(seconds));
                string anchor = nodes switch { 50 => "245", 200 => "490", 1000 => "1640", _ => "" };
                Figure.Print(
                    $"idle_n{nodes}_{arm.Replace('-', '_')}", (world.Bytes - before) / (double)seconds / nodes, "B/node/s", anchor, "kinship");
            }
        }

        return 0;
    }
}
