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
        IPAddress? destination = null;
        IPAddress? answerer = null;
        byte protocol = 0;
        uint status = 0;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case TupleOriginal:
                    original = attribute.Value.ToArray();
                    ReadTuple(attribute.Nested, out _, out destination, out protocol);
                    break;
                case TupleReply:
                    ReadTuple(attribute.Nested, out answerer, out _, out _);
                    break;
                case Status when attribute.Value.Length == sizeof(uint):
                    status = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(attribute.Value);
                    break;
                case Identity:
                    identity = attribute.Value.ToArray();
                    break;
            }
        }

        if (destination is null || answerer is null)
        {
            return false;
        }

        flow = new(header.Family, protocol, destination, answerer, (status & SeenReply) != 0, original, identity);
        return true;
    }

    private static void ReadTuple(AttributeReader tuple, out IPAddress? source, out IPAddress? destination, out byte protocol)
    {
        source = null;
        destination = null;
        protocol = 0;
        while (tuple.TryNext(out NetlinkAttribute part))
        {
            AttributeReader inside = part.Nested;
            while (inside.TryNext(out NetlinkAttribute value))
            {
                switch (part.Type, value.Type)
                {
                    case (TupleIp, Source4 or Source6):
                        source = value.Address;
                        break;
                    case (TupleIp, Destination4 or Destination6):
                        destination = value.Address;
                        break;
                    case (TupleProtocol, ProtocolNumber):
                        protocol = value.Byte;
                        break;
                }
            }
        }
    }
}
