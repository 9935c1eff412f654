using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Ipvs;

/// <summary>Messages of IPVS's generic netlink interface (linux/ip_vs.h), about services that are found by a mark.</summary>
internal static class IpvsMessage
{
    private const byte Version = 1;

    private const byte NewService = 1;
    private const byte SetService = 2;
    private const byte DeleteService = 3;
    private const byte GetService = 4;
    private const byte NewDestination = 5;
    private const byte SetDestination = 6;
    private const byte DeleteDestination = 7;
    private const byte GetDestination = 8;
    private const byte SetConfig = 12;
    private const byte GetConfig = 13;

    /// <summary>IPVS_CMD_ATTR_….</summary>
    private const ushort Service = 1;
    private const ushort Destination = 2;
    private const ushort TimeoutTcp = 4;
    private const ushort TimeoutTcpFin = 5;
    private const ushort TimeoutUdp = 6;

    /// <summary>IPVS_SVC_ATTR_….</summary>
    private const ushort ServiceFamily = 1;
    private const ushort ServiceMark = 5;
    private const ushort ServiceScheduler = 6;
    private const ushort ServiceFlags = 7;
    private const ushort ServiceTimeout = 8;
    private const ushort ServiceNetmask = 9;

    /// <summary>IPVS_DEST_ATTR_….</summary>
    private const ushort DestinationAddress = 1;
    private const ushort DestinationPort = 2;
    private const ushort ForwardMethod = 3;
    private const ushort Weight = 4;
    private const ushort UpperThreshold = 5;
    private const ushort LowerThreshold = 6;
    private const ushort ActiveConnections = 7;
    private const ushort InactiveConnections = 8;
    private const ushort PersistentConnections = 9;
    private const ushort DestinationFamily = 11;

    /// <summary>IP_VS_CONN_F_MASQ.</summary>
    private const uint Masquerading = 0;

    /// <summary>IP_VS_SVC_F_PERSISTENT.</summary>
    private const uint Persistent = 1;

    private const ushort Nested = 0x8000;

    /// <summary>What the kernel gives a service that does not say, and wants to be given.</summary>
    private const int DefaultTimeout = 300;

    public static void DumpServices(MessageBuilder batch, ushort family)
    {
        Begin(batch, family, GetService, NetlinkConstants.Dump);
        batch.End();
    }

    public static void DumpDestinations(MessageBuilder batch, ushort family, IpvsService service)
    {
        Begin(batch, family, GetDestination, NetlinkConstants.Dump);
        PutService(batch, service, all: false);
        batch.End();
    }

    public static void Write(MessageBuilder batch, ushort family, IpvsService service, bool isNew)
    {
        Begin(batch, family, isNew ? NewService : SetService);
        PutService(batch, service, all: true);
        batch.End();
    }

    public static void Delete(MessageBuilder batch, ushort family, IpvsService service)
    {
        Begin(batch, family, DeleteService);
        PutService(batch, service, all: false);
        batch.End();
    }

    public static void Write(MessageBuilder batch, ushort family, IpvsService service, IpvsDestination destination, bool isNew)
    {
        Begin(batch, family, isNew ? NewDestination : SetDestination);
        PutService(batch, service, all: false);
        int nest = PutDestination(batch, destination.Address);
        batch.Put(ForwardMethod, Masquerading);
        batch.Put(Weight, destination.Weight);
        batch.Put(UpperThreshold, 0);
        batch.Put(LowerThreshold, 0);
        batch.EndNest(nest);
        batch.End();
    }

    public static void Delete(MessageBuilder batch, ushort family, IpvsService service, IPAddress destination)
    {
        Begin(batch, family, DeleteDestination);
        PutService(batch, service, all: false);
        batch.EndNest(PutDestination(batch, destination));
        batch.End();
    }

    public static void AskTimeouts(MessageBuilder batch, ushort family)
    {
        Begin(batch, family, GetConfig);
        batch.End();
    }

    public static void Write(MessageBuilder batch, ushort family, IpvsTimeouts timeouts)
    {
        Begin(batch, family, SetConfig);
        batch.Put(TimeoutTcp, timeouts.Tcp);
        batch.Put(TimeoutTcpFin, timeouts.TcpFin);
        batch.Put(TimeoutUdp, timeouts.Udp);
        batch.End();
    }

    /// <summary>One that is found by a mark; its destinations are listed by themselves.</summary>
    public static bool TryParseService(NetlinkMessage message, out IpvsService service)
    {
        service = default!;
        uint mark = 0;
        ushort family = 0;
        string scheduler = "";
        uint flags = 0;
        int timeout = 0;
        if (!TryFind(message, Service, out AttributeReader attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case ServiceFamily when attribute.Value.Length >= sizeof(ushort):
                    family = MemoryMarshal.Read<ushort>(attribute.Value);
                    break;
                case ServiceMark:
                    mark = attribute.UInt32;
                    break;
                case ServiceScheduler:
                    scheduler = attribute.Text;
                    break;
                case ServiceFlags:
                    flags = attribute.UInt32;
                    break;
                case ServiceTimeout:
                    timeout = attribute.Int32;
                    break;
            }
        }

        service = new(mark, family == Af.Inet6, scheduler, (flags & Persistent) != 0 ? timeout : 0);
        return mark != 0;
    }

    public static bool TryParseDestination(NetlinkMessage message, out IpvsDestination destination)
    {
        destination = default!;
        byte[] address = [];
        ushort family = 0;
        int weight = 0;
        long connections = 0;
        if (!TryFind(message, Destination, out AttributeReader attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case DestinationAddress:
                    address = attribute.Value.ToArray();
                    break;
                case DestinationFamily when attribute.Value.Length >= sizeof(ushort):
                    family = MemoryMarshal.Read<ushort>(attribute.Value);
                    break;
                case Weight:
                    weight = attribute.Int32;
                    break;
                case ActiveConnections or InactiveConnections or PersistentConnections:
                    connections += attribute.UInt32;
                    break;
            }
        }

        // A union of the size of the longer family.
        int length = family == Af.Inet6 ? 16 : 4;
        if (address.Length < length)
        {
            return false;
        }

        destination = new(new IPAddress(address.AsSpan(0, length)), weight, connections);
        return true;
    }

    public static bool TryParseTimeouts(NetlinkMessage message, out IpvsTimeouts timeouts)
    {
        timeouts = default!;
        if (!message.TryRead(out GenlMsgHdr _, out AttributeReader attributes))
        {
            return false;
        }

        int tcp = 0, tcpFin = 0, udp = 0;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case TimeoutTcp:
                    tcp = attribute.Int32;
                    break;
                case TimeoutTcpFin:
                    tcpFin = attribute.Int32;
                    break;
                case TimeoutUdp:
                    udp = attribute.Int32;
                    break;
            }
        }

        timeouts = new(tcp, tcpFin, udp);
        return true;
    }

    private static bool TryFind(NetlinkMessage message, ushort type, out AttributeReader nested)
    {
        nested = default;
        if (message.TryRead(out GenlMsgHdr _, out AttributeReader attributes))
        {
            while (attributes.TryNext(out NetlinkAttribute attribute))
            {
                if (attribute.Type == type)
                {
                    nested = attribute.Nested;
                    return true;
                }
            }
        }

        return false;
    }

    private static void Begin(MessageBuilder batch, ushort family, byte command, ushort flags = 0) =>
        batch.Begin(family, flags, new GenlMsgHdr { Command = command, Version = Version });

    private static void PutService(MessageBuilder batch, IpvsService service, bool all)
    {
        int nest = batch.BeginNest(Service | Nested);
        ushort family = service.IsIpv6 ? Af.Inet6 : Af.Inet;
        batch.Put(ServiceFamily, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in family)));
        batch.Put(ServiceMark, service.Mark);
        if (all)
        {
            batch.Put(ServiceScheduler, service.Scheduler);
            ReadOnlySpan<uint> flags = [service.Sticky > 0 ? Persistent : 0, uint.MaxValue];
            batch.Put(ServiceFlags, MemoryMarshal.AsBytes(flags));
            batch.Put(ServiceTimeout, service.Sticky > 0 ? service.Sticky : DefaultTimeout);
            // A prefix length of IPv6; of IPv4 a mask. Each client by itself.
            batch.Put(ServiceNetmask, service.IsIpv6 ? 128 : uint.MaxValue);
        }

        batch.EndNest(nest);
    }

    private static int PutDestination(MessageBuilder batch, IPAddress address)
    {
        int nest = batch.BeginNest(Destination | Nested);
        Span<byte> union = stackalloc byte[16];
        union.Clear();
        address.TryWriteBytes(union, out _);
        batch.Put(DestinationAddress, union);
        // The one that the client asked for.
        batch.PutPort(DestinationPort, 0);
        ushort family = address.AddressFamily == AddressFamily.InterNetworkV6 ? Af.Inet6 : Af.Inet;
        batch.Put(DestinationFamily, MemoryMarshal.AsBytes(new ReadOnlySpan<ushort>(in family)));
        return nest;
    }
}
