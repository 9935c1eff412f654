using System.Text;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// One network's table of 100,000 entries on 25 nodes: what it costs to keep it while nothing changes, and to give it to
/// a node that restarted and writes its own part anew.
/// </summary>
internal static class LargeTables
{
    private const string Network = "net";
    private const int ValueBytes = 100;

    public static int Run(GossipSettings settings)
    {
        int nodes = settings.Nodes ?? 25;
        int entries = (int)(settings.Number("--entries") ?? 100_000);
        foreach (ulong seed in settings.SeedRange(1))
        {
            Once(seed, nodes, entries / nodes, settings.Verbose);
        }

        return 0;
    }

    private static void Once(ulong seed, int nodes, int each, bool trace)
    {
        GossipWorld world = new(nodes, seed, GossipArm.Ours);
        world.StartAcquainted();
        foreach (GossipNode node in world.Nodes)
        {
            Fill(world, node, each);
        }

        string name = $"tables_n{nodes}_{nodes * each}";
        TimeSpan? first = world.RunUntil(TimeSpan.FromSeconds(120), TimeSpan.FromMilliseconds(250), () => IsComplete(world, each));
        Figure.Print($"{name}_filled_after", first?.TotalSeconds ?? double.PositiveInfinity, "s");
        world.Run(TimeSpan.FromSeconds(60));
        long before = world.Bytes;
        world.Run(TimeSpan.FromSeconds(60));
        Figure.Print($"{name}_steady", (world.Bytes - before) / 60.0 / nodes, "B/node/s", "420000", "12.6 MB every 30 s");
        Restart(world, name, each, trace);
    }

    private static void Restart(GossipWorld world, string name, int each, bool trace)
    {
        GossipNode node = world.Nodes[world.Nodes.Length / 2];
        world.Crash(node);
        world.Run(TimeSpan.FromSeconds(20));
        long sent = world.Bytes;
        long received = node.ReceivedBytes;
        world.Start(node, [.. world.Live.Take(2).Select(static n => n.Address)]);
        Fill(world, node, each);
        TimeSpan? synced = world.RunUntil(TimeSpan.FromSeconds(120), TimeSpan.FromMilliseconds(100), () =>
        {
            if (trace)
            {
                Console.Error.WriteLine(
                    $"{world.Now} {node.Swim.Entries(Network).Count()} entries, {node.ReceivedBytes - received:N0} B to it, {world.Bytes - sent:N0} B in all");
            }

            return IsComplete(world, each);
        });
        world.Run(TimeSpan.FromSeconds(30));
        double of = (long)each * (world.Nodes.Length - 1) * EntryBytes;
        double own = (long)each * EntryBytes;
        double all = world.Bytes - sent;
        double got = node.ReceivedBytes - received;
        Figure.Print($"{name}_restart_synced", synced?.TotalSeconds ?? double.PositiveInfinity, "s");
        Figure.Print($"{name}_restart_received", got / 1e6, "MB", "12.6", "memberlist, every 30 s");
        Figure.Print($"{name}_restart_received_of_what_it_lacked", got / of, "x");
        Figure.Print($"{name}_restart_told_others_of_its_own_data_each", (all - got) / (own * (world.Nodes.Length - 1)), "x");
    }

    /// <summary>Key and value, without any framing.</summary>
    private static int EntryBytes => KeyOf(0).Length + ValueBytes;

    private static string KeyOf(int i) => $"endpoint-{i:D6}";

    private static void Fill(GossipWorld world, GossipNode node, int each)
    {
        world.Do(node, static (s, now, e) => s.Subscribe(Network, now, e));
        byte[] value = new byte[ValueBytes];
        Encoding.ASCII.GetBytes(node.Name, value);
        world.Do(node, (s, now, e) => s.Put(
            Network, [.. Enumerable.Range(0, each).Select(i => KeyValuePair.Create(KeyOf(i), (ReadOnlyMemory<byte>)value))], now, e));
        world.Do(node, static (s, now, e) => s.Settle(now, e));
    }

    private static bool IsComplete(GossipWorld world, int each) => world.Live.All(n =>
        n.Swim.Summarize(Network)!.Owners.Count(o => o.Entries == each) == world.Nodes.Length);
}
