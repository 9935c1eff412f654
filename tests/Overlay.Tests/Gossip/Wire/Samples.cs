using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Wire;

/// <summary>Random well-formed messages, and a text form to compare them by.</summary>
internal static class Samples
{
    public static GossipMessage Message(Prng prng) => prng.Next(8) switch
    {
        0 => new GossipMessage.Ping(
            Number(prng), Name(prng), prng.Chance(0.5) ? EndPoint(prng) : null, prng.Chance(0.5) ? Name(prng) : ""),
        1 => new GossipMessage.IndirectPing(
            Number(prng), EndPoint(prng), Name(prng), prng.Chance(0.5), prng.Chance(0.5) ? EndPoint(prng) : null,
            Name(prng)),
        2 => new GossipMessage.Ack(Number(prng), Bytes(prng, 200)),
        3 => new GossipMessage.Nack(Number(prng)),
        4 => new GossipMessage.Suspect(Number(prng), Name(prng), Name(prng)) { Life = Life(prng) },
        5 => new GossipMessage.Dead(Number(prng), Name(prng), Name(prng)) { Life = Life(prng), Witnesses = (uint)prng.Next(3) },
        6 => new GossipMessage.Alive(
            Number(prng), Name(prng), EndPoint(prng), Bytes(prng, 512), [1, 5, 2, 2, 5, 5],
            prng.Chance(0.5) ? prng.NextUInt64() : 0),
        _ => new GossipMessage.User(Bytes(prng, 700)),
    };

    public static GossipMessage Stream(Prng prng) => prng.Next(4) switch
    {
        0 => new GossipMessage.Ping(Number(prng), Name(prng), null, ""),
        1 => new GossipMessage.User(Bytes(prng, 100_000)),
        2 => new GossipMessage.Error(Name(prng)),
        _ => new GossipMessage.PushPull(
            prng.Chance(0.5),
            [
                .. Enumerable.Range(0, prng.Next(40)).Select(_ => new PushPullNode(
                    Name(prng), EndPoint(prng), Bytes(prng, 100), Number(prng), (MemberState)prng.Next(4),
                    [1, 5, 2, 2, 5, 5],
                    prng.Chance(0.5) ? prng.NextUInt64() : 0)),
            ],
            Bytes(prng, 2000)),
    };

    public static string Text(GossipMessage message) => message switch
    {
        GossipMessage.Ack m => $"ack {m.SequenceNumber} {Convert.ToHexString(m.Payload)}",
        GossipMessage.User m => $"user {Convert.ToHexString(m.Payload)}",
        GossipMessage.Alive m => $"alive {m.Incarnation} {m.Node} {m.Address} {Convert.ToHexString(m.Meta)} "
            + $"{Convert.ToHexString(m.Versions)} {m.BootId}",
        GossipMessage.PushPull m => $"push/pull {m.Join} {Convert.ToHexString(m.UserState)} "
            + string.Join(';', m.Nodes.Select(Text)),
        _ => message.ToString()!,
    };

    public static string Text(PushPullNode n) =>
        $"{n.Name} {n.Address} {Convert.ToHexString(n.Meta)} {n.Incarnation} {n.State} "
        + $"{Convert.ToHexString(n.Versions)} {n.BootId}";

    /// <summary>Clear, a literal 0, then the code that is one ahead of the table again and again, then end.</summary>
    public static byte[] LzwBomb(int codes)
    {
        List<byte> output = [];
        uint bits = 0;
        int held = 0;
        int width = 9;
        int next = 258;
        void Write(int code)
        {
            bits |= (uint)code << held;
            held += width;
            while (held >= 8)
            {
                output.Add((byte)bits);
                bits >>= 8;
                held -= 8;
            }
        }

        Write(256);
        Write(0);
        for (int i = 0; i < codes; i++)
        {
            Write(Math.Min(next, 4095));
            next = Math.Min(next + 1, 4096);
            if (next >= 1 << width && width < 12)
            {
                width++;
            }
        }

        Write(257);
        output.Add((byte)bits);
        return [.. output];
    }

    private static uint Number(Prng prng) => (uint)(prng.NextUInt64() >> (32 + prng.Next(32)));

    private static ushort Life(Prng prng) => (ushort)(prng.Chance(0.5) ? 0 : prng.Next(65536));

    private static string Name(Prng prng) => new('n', 1 + prng.Next(60));

    private static byte[] Bytes(Prng prng, int max)
    {
        byte[] bytes = new byte[prng.Next(max + 1)];
        prng.Fill(bytes);
        return bytes;
    }

    private static IPEndPoint EndPoint(Prng prng)
    {
        byte[] address = new byte[prng.Chance(0.5) ? 4 : 16];
        prng.Fill(address);
        return new(new IPAddress(address), prng.Next(65536));
    }
}
