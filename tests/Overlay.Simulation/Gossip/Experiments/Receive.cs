using System.Diagnostics;
using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip.Experiments;

/// <summary>
/// What a packet costs its receiver: opened, read, applied and answered. The packets are those that one node of a
/// cluster at rest really got; repeated, they bring nothing new, as nearly all packets do.
/// </summary>
internal static class Receive
{
    private const string Network = "network";
    private const int EntriesOfEach = 20;
    private const int WarmUp = 100_000;
    private const int Measured = 500_000;

    public static int Run(GossipSettings settings)
    {
        GossipWorld world = new(settings.Nodes ?? 100, settings.FirstSeed, GossipArm.Of(settings.Arm ?? "overlayd"));
        List<(IPEndPoint From, byte[] Packet)> recorded = Record(world);
        Measure("clear", world, recorded, Keyring.Plaintext);
        Measure("sealed", world, recorded, new([new byte[32]]));
        return 0;
    }

    private static List<(IPEndPoint From, byte[] Packet)> Record(GossipWorld world)
    {
        world.StartAcquainted();
        foreach (GossipNode node in world.Nodes)
        {
            world.Do(node, static (swim, now, e) =>
            {
                swim.Subscribe(Network, now, e);
                for (int i = 0; i < EntriesOfEach; i++)
                {
                    swim.Put(Network, $"entry{i}", new byte[60], now, e);
                }
            });
        }

        world.Run(TimeSpan.FromSeconds(60));
        List<(IPEndPoint From, byte[] Packet)> recorded = [];
        IPEndPoint receiver = world.Nodes[0].Address;
        world.Recorder = (from, datagram) =>
        {
            if (datagram.To.Equals(receiver))
            {
                recorded.Add((from.Address, datagram.Payload.ToArray()));
            }
        };
        world.Run(TimeSpan.FromSeconds(120));
        world.Recorder = null;
        return recorded;
    }

    private static void Measure(
        string name, GossipWorld world, List<(IPEndPoint From, byte[] Packet)> recorded, Keyring keys)
    {
        Prng nonces = new(1);
        List<(IPEndPoint From, byte[] Packet)> packets = [.. recorded.Select(r => (r.From, Again(r.Packet, keys, nonces)))];
        Swim swim = world.Nodes[0].Swim;
        swim.SetKeyring(keys);
        GossipEffects effects = new();
        Repeat(swim, packets, WarmUp, world.Now, effects);

        using Process own = Process.GetCurrentProcess();
        (long rejected, long sent) = (swim.Counters.Rejected, swim.Counters.DatagramsSent);
        TimeSpan begin = own.TotalProcessorTime;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Repeat(swim, packets, Measured, world.Now, effects);
        long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        own.Refresh();
        double seconds = (own.TotalProcessorTime - begin).TotalSeconds;
        Console.Error.WriteLine(
            $"{name}: {packets.Count} recorded packets of {packets.Average(static p => p.Packet.Length):0} bytes, repeated; "
            + $"{swim.Counters.DatagramsSent - sent} answers, {swim.Counters.Rejected - rejected} rejected");
        Figure.Print($"gossip_receive_{name}_per_s", Measured / seconds, "packets/s", "300000", "aim");
        Figure.Print($"gossip_receive_{name}_allocated", (double)allocated / Measured, "bytes/packet", "65536", "memberlist");
    }

    private static byte[] Again(byte[] packet, Keyring keys, Prng nonces)
    {
        List<GossipMessage> messages = [];
        Invariant.Holds(PacketCodec.TryDecode(packet, Keyring.Plaintext, messages, out _));
        return PacketCodec.Encode(messages, keys, nonces, crc: !keys.IsEncrypted && messages.Count > 1);
    }

    private static void Repeat(
        Swim swim, List<(IPEndPoint From, byte[] Packet)> packets, int times, Instant now, GossipEffects effects)
    {
        for (int i = 0; i < times; i++)
        {
            (IPEndPoint from, byte[] packet) = packets[i % packets.Count];
            swim.Receive(from, packet, now, effects);
            effects.Clear();
        }
    }
}
