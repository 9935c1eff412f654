using System.Buffers.Binary;
using System.Net;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Conntrack;

/// <summary>Messages of conntrack's netlink interface (linux/netfilter/nfnetlink_conntrack.h).</summary>
internal static class FlowMessage
{
    private const ushort Subsystem = 1 << 8;
    private const ushort New = Subsystem | 0;
    private const ushort Get = Subsystem | 1;
    private const ushort Delete = Subsystem | 2;
    private const ushort Nested = 0x8000;

    private const ushort TupleOriginal = 1;
    private const ushort TupleReply = 2;
    private const ushort Status = 3;
    private const ushort Identity = 12;

    private const ushort TupleIp = 1;
    private const ushort TupleProtocol = 2;
    private const ushort ProtocolNumber = 1;

    /// <summary>CTA_PROTO_SRC_PORT and CTA_PROTO_DST_PORT, in network byte order.</summary>
    private const ushort SourcePort = 2;
    private const ushort DestinationPort = 3;

    /// <summary>CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST.</summary>
    private const ushort Source4 = 1;
    private const ushort Destination4 = 2;
    private const ushort Source6 = 3;
    private const ushort Destination6 = 4;

    /// <summary>IPS_SEEN_REPLY; the number is in network byte order.</summary>
    private const uint SeenReply = 1 << 1;

    /// <summary>All flows of the namespace, of both families.</summary>
    public static void Dump(MessageBuilder batch)
    {
        batch.Begin(Get, NetlinkConstants.Dump, default(NfGenMsg));
        batch.End();
    }

    /// <summary>Exactly the flow that was listed: one that has taken its place meanwhile has another identity.</summary>
    public static void Remove(MessageBuilder batch, FlowRecord flow)
    {
        batch.Begin(Delete, 0, new NfGenMsg { Family = flow.Family });
        batch.Put(TupleOriginal | Nested, flow.OriginalTuple);
        if (flow.Identity.Length > 0)
        {
            batch.Put(Identity, flow.Identity);
        }

        batch.End();
    }

    public static bool TryParse(NetlinkMessage message, out FlowRecord flow)
    {
        flow = default!;
        if (message.Header.Type != New || !message.TryRead(out NfGenMsg header, out AttributeReader attributes))
        {
            return false;
        }

        byte[] original = [];
        byte[] identity = [];
        Tuple sent = default;
        Tuple answered = default;
        uint status = 0;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case TupleOriginal:
                    original = attribute.Value.ToArray();
                    sent = ReadTuple(attribute.Nested);
                    break;
                case TupleReply:
                    answered = ReadTuple(attribute.Nested);
                    break;
                case Status when attribute.Value.Length == sizeof(uint):
                    status = BinaryPrimitives.ReadUInt32BigEndian(attribute.Value);
                    break;
                case Identity:
                    identity = attribute.Value.ToArray();
                    break;
            }
        }

        if (sent.Destination is null || answered.Source is null)
        {
            return false;
        }

        flow = new(
            header.Family, sent.Protocol, sent.Destination, sent.DestinationPort, answered.Source, answered.SourcePort,
            (status & SeenReply) != 0, original, identity);
        return true;
    }

    private record struct Tuple(IPAddress? Source, IPAddress? Destination, byte Protocol, int SourcePort, int DestinationPort);

    private static Tuple ReadTuple(AttributeReader attributes)
    {
        Tuple tuple = default;
        while (attributes.TryNext(out NetlinkAttribute part))
        {
            AttributeReader inside = part.Nested;
            while (inside.TryNext(out NetlinkAttribute value))
            {
                switch (part.Type, value.Type)
                {
                    case (TupleIp, Source4 or Source6):
                        tuple.Source = value.Address;
                        break;
                    case (TupleIp, Destination4 or Destination6):
                        tuple.Destination = value.Address;
                        break;
                    case (TupleProtocol, ProtocolNumber):
                        tuple.Protocol = value.Byte;
                        break;
                    case (TupleProtocol, SourcePort) when value.Value.Length == sizeof(ushort):
                        tuple.SourcePort = BinaryPrimitives.ReadUInt16BigEndian(value.Value);
                        break;
                    case (TupleProtocol, DestinationPort) when value.Value.Length == sizeof(ushort):
                        tuple.DestinationPort = BinaryPrimitives.ReadUInt16BigEndian(value.Value);
                        break;
                }
            }
        }

        return tuple;
    }
}
