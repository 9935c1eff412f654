using System.Diagnostics;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>How much processor time the simulator takes: nodes at rest with loss, and all that goes with it.</summary>
internal static class Speed
{
    public static int Run(GossipSettings settings)
    {
        GossipWorld world = new(settings.Nodes ?? 1000, settings.FirstSeed, GossipArm.Of(settings.Arm ?? "overlayd")) { Loss = 0.01 };
        using Process own = Process.GetCurrentProcess();
        world.StartAcquainted();
        double setUp = own.TotalProcessorTime.TotalSeconds;
        long before = GC.GetAllocatedBytesForCurrentThread();
        world.Run(TimeSpan.FromSeconds(120));
        Console.Error.WriteLine(
            $"{world.Datagrams} datagrams, {(GC.GetAllocatedBytesForCurrentThread() - before) >> 20} MiB allocated, set up in {setUp:0.0} s");
        own.Refresh();
        Figure.Print($"gossip_sim_{world.Nodes.Length}x120s", own.TotalProcessorTime.TotalSeconds, "s", "18", "kinship");
        return 0;
    }
}
