using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>Seals messages into datagrams and streams, and counts them.</summary>
internal sealed class Outbox(Keyring keyring, Prng prng, GossipCounters counters)
{
    /// <summary>The length prefix of a part of a compound packet.</summary>
    public const int PartOverhead = PacketCodec.PartOverhead;

    /// <summary>A compound packet counts its parts in one byte.</summary>
    public const int MaxParts = 255;

    /// <summary>No message is smaller; a packet with less room is full.</summary>
    public const int SmallestPart = 12;

    private long nextExchange = 1;

    public Keyring Keyring { get; private set; } = keyring;

    /// <summary>Bytes for parts, their prefixes included.</summary>
    public int Budget { get; private set; } = PacketCodec.BudgetFor(keyring);

    public void SetKeyring(Keyring keys)
    {
        Keyring = keys;
        Budget = PacketCodec.BudgetFor(keys);
    }

    public void Send(GossipEffects e, IPEndPoint to, GossipMessage message)
    {
        PacketWriter packet = PacketCodec.Begin();
        packet.Add(message);
        Send(e, to, packet);
    }

    /// <summary>Sends a user message without making an object of it.</summary>
    public void SendUser(GossipEffects e, IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        PacketWriter packet = PacketCodec.Begin();
        packet.AddUser(payload);
        Send(e, to, packet);
    }

    /// <summary>Sends in order, in as many packets as the messages need.</summary>
    public void Send(GossipEffects e, IPEndPoint to, IReadOnlyList<GossipMessage> messages)
    {
        PacketWriter packet = PacketCodec.Begin();
        foreach (GossipMessage message in messages)
        {
            int cost = PacketCodec.Measure(message) + PartOverhead;
            if (packet.Count > 0 && (cost > Budget - packet.Cost || packet.Count == MaxParts))
            {
                Send(e, to, packet);
                packet = PacketCodec.Begin();
            }

            packet.Add(message);
        }

        if (packet.Count > 0)
        {
            Send(e, to, packet);
        }
    }

    /// <summary>Seals the packet, which has something in it.</summary>
    public void Send(GossipEffects e, IPEndPoint to, PacketWriter packet)
    {
        bool crc = !Keyring.IsEncrypted && packet.Count > 1;
        Memory<byte> datagram = e.Rent(PacketCodec.LengthOf(packet, Keyring, crc));
        PacketCodec.Write(packet, Keyring, prng, crc, datagram.Span);
        counters.DatagramsSent++;
        counters.DatagramBytesSent += datagram.Length;
        e.Datagrams.Add(new(to, datagram));
    }

    public long Dial(GossipEffects e, IPEndPoint to, GossipMessage request, TimeSpan timeout, bool expectsReply)
    {
        long id = nextExchange++;
        e.Dials.Add(new(id, to, StreamCodec.Encode(request, Keyring, prng), timeout, expectsReply));
        return id;
    }

    public void Reply(GossipEffects e, long exchangeId, GossipMessage response) =>
        e.Replies.Add(new(exchangeId, StreamCodec.Encode(response, Keyring, prng)));
}
