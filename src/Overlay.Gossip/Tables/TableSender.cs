using System.Buffers;
using System.Net;
using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Tables;

/// <summary>Packs table messages into user messages: packets where a few suffice, else one stream.</summary>
internal sealed class TableSender(SwimOptions options, MemberList members, Outbox outbox)
{
    /// <summary>The commonest answers, in memory that is used again.</summary>
    private readonly ArrayBufferWriter<byte> single = new();

    /// <summary>The most that a user message of one packet carries, its sender's name not counted.</summary>
    public int PacketBytes => outbox.Budget - Outbox.PartOverhead - 8 - TableCodec.HeaderBytes(members.Self.Name);

    /// <summary>What is left for items when network and owner are named.</summary>
    public int ItemBytes => Math.Max(256, PacketBytes - 160);

    public GossipMessage.User Wrap(params IEnumerable<TableMessage> messages) =>
        new(TableCodec.Encode(members.Self.Name, messages));

    public void Send(IPEndPoint to, IEnumerable<TableMessage> messages, GossipEffects e)
    {
        List<GossipMessage> packets = Pack(messages, PacketBytes, options.MaxStreamBytes, out List<TableMessage> sent);
        if (packets.Count <= options.MaxDeltaPackets)
        {
            outbox.Send(e, to, packets);
        }
        else
        {
            outbox.Dial(e, to, Wrap(sent), options.TcpTimeout, expectsReply: false);
        }
    }

    /// <summary>This node has everything that the receiver wrote up to this version.</summary>
    public void Acknowledge(IPEndPoint to, string network, ulong epoch, ulong version, GossipEffects e)
    {
        Begin();
        TableCodec.WriteVersion(single, TableKind.Acknowledgement, network, epoch, version);
        SendSingle(to, e);
    }

    /// <summary>This node has what the receiver has of the network: the end of their talk.</summary>
    public void WantNothing(IPEndPoint to, string network, GossipEffects e)
    {
        Begin();
        TableCodec.WriteWant(single, network, []);
        SendSingle(to, e);
    }

    /// <summary>
    /// A payload of at most <see cref="SwimOptions.MaxStreamBytes"/>; what does not fit waits for the next exchange.
    /// </summary>
    public byte[] State(IEnumerable<TableMessage> messages)
    {
        Pack(messages, options.MaxStreamBytes, options.MaxStreamBytes, out List<TableMessage> fitting);
        return TableCodec.Encode(members.Self.Name, fitting);
    }

    private void Begin()
    {
        single.ResetWrittenCount();
        TableCodec.WriteHeader(single, members.Self.Name);
    }

    private void SendSingle(IPEndPoint to, GossipEffects e)
    {
        PacketWriter packet = PacketCodec.Begin();
        packet.AddUser(single.WrittenSpan);
        outbox.Send(e, to, packet);
    }

    private List<GossipMessage> Pack(
        IEnumerable<TableMessage> messages, int packetBytes, int totalBytes, out List<TableMessage> packed)
    {
        List<GossipMessage> packets = [];
        List<TableMessage> packet = [];
        packed = [];
        int room = packetBytes;
        foreach (TableMessage message in messages)
        {
            int size = TableCodec.Measure(message);
            totalBytes -= size;
            if (totalBytes < 0)
            {
                break;
            }

            if (packet.Count > 0 && size > room)
            {
                packets.Add(Wrap(packet));
                packet = [];
                room = packetBytes;
            }

            packed.Add(message);
            packet.Add(message);
            room -= size;
        }

        if (packet.Count > 0)
        {
            packets.Add(Wrap(packet));
        }

        return packets;
    }
}
