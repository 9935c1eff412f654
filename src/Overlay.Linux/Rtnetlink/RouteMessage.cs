using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Rtnetlink;

/// <summary>A unicast route as RTM_NEWROUTE tells it; device 0 where it has several next hops.</summary>
internal readonly record struct RouteRecord(
    IPNetwork Destination, IPAddress? Gateway, int Device, int Metric, byte Protocol, uint Table);

/// <summary>Requests about routes, and their parsing.</summary>
internal static class RouteMessage
{
    /// <param name="family">One family; the filters of the kernel work on one only.</param>
    /// <param name="protocol">0: all.</param>
    /// <param name="table">One, or <see cref="Rta.AllTables"/>.</param>
    public static void Dump(MessageBuilder batch, byte family, byte protocol, byte table)
    {
        batch.Begin(
            Rtm.GetRoute,
            NetlinkConstants.Dump,
            new RtMsg { Family = family, Table = table, Protocol = protocol, Type = Rta.Unicast });
        batch.End();
    }

    public static void Replace(MessageBuilder batch, int index, RouteEntry entry) =>
        Write(
            batch,
            Rtm.NewRoute,
            NetlinkConstants.Create | NetlinkConstants.Replace,
            index,
            entry,
            entry.Gateway is null ? Rta.ScopeLink : Rta.ScopeUniverse);

    public static void Delete(MessageBuilder batch, int index, RouteEntry entry) =>
        Write(batch, Rtm.DeleteRoute, 0, index, entry, Rta.ScopeNowhere);

    public static bool TryParse(NetlinkMessage message, out RouteRecord record)
    {
        record = default;
        if (message.Header.Type != Rtm.NewRoute || !message.TryRead(out RtMsg header, out AttributeReader attributes)
            || header.Type != Rta.Unicast || header.Family is not (Af.Inet or Af.Inet6))
        {
            return false;
        }

        bool ipv6 = header.Family == Af.Inet6;
        IPAddress destination = ipv6 ? IPAddress.IPv6Any : IPAddress.Any;
        IPAddress? gateway = null;
        int device = 0;
        int metric = 0;
        uint table = header.Table;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Rta.Destination:
                    destination = attribute.Address ?? destination;
                    break;
                case Rta.Gateway:
                    gateway = attribute.Address;
                    break;
                case Rta.Device:
                    device = attribute.Int32;
                    break;
                case Rta.Priority:
                    metric = attribute.Int32;
                    break;
                case Rta.Table:
                    table = attribute.UInt32;
                    break;
                default:
                    break;
            }
        }

        if (header.DestinationLength > (ipv6 ? 128 : 32)
            || (destination.AddressFamily == AddressFamily.InterNetworkV6) != ipv6
            || !TryMakeNetwork(destination, header.DestinationLength, out IPNetwork network))
        {
            return false;
        }

        record = new(network, gateway, device, metric, header.Protocol, table);
        return true;
    }

    internal static bool TryMakeNetwork(IPAddress address, int prefixLength, out IPNetwork network)
    {
        try
        {
            network = new(address, prefixLength);
            return true;
        }
        catch (ArgumentException)
        {
            // Bits beyond the prefix: the kernel never says that of a route.
            network = default;
            return false;
        }
    }

    private static void Write(
        MessageBuilder batch, ushort type, ushort flags, int index, RouteEntry entry, byte scope)
    {
        bool ipv6 = entry.Destination.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6;
        batch.Begin(type, flags, new RtMsg
        {
            Family = ipv6 ? Af.Inet6 : Af.Inet,
            DestinationLength = (byte)entry.Destination.PrefixLength,
            Table = Rta.HeaderTable(entry.Table),
            Protocol = RouteEntry.Protocol,
            Scope = ipv6 ? Rta.ScopeUniverse : scope,
            Type = Rta.Unicast,
        });
        if (entry.Destination.PrefixLength > 0)
        {
            batch.Put(Rta.Destination, entry.Destination.BaseAddress);
        }

        if (entry.Gateway is { } gateway)
        {
            batch.Put(Rta.Gateway, gateway);
        }

        if (index > 0)
        {
            batch.Put(Rta.Device, index);
        }

        if (entry.Table > byte.MaxValue)
        {
            batch.Put(Rta.Table, entry.Table);
        }

        if (entry.Metric > 0)
        {
            batch.Put(Rta.Priority, entry.Metric);
        }

        batch.End();
    }
}
