using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Namespaces;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux;

/// <summary>
/// The network of the host at one moment: what a person chooses an address to advertise from, which prefixes are
/// taken, and how large a packet may be.
/// </summary>
public sealed record HostNetwork(ImmutableArray<HostInterface> Interfaces, ImmutableArray<HostRoute> Routes)
{
    /// <exception cref="KernelException">The kernel refuses.</exception>
    public static HostNetwork Read(NamespaceDirectory directory)
    {
        using NamespaceHandle host = directory.Open(NamespaceName.Host);
        using NetlinkSocket netlink = InNamespace.Run(host, () => NetlinkSocket.Open(NetlinkConstants.Route));
        List<LinkRecord> links = netlink.Dump<LinkRecord>("interfaces", LinkMessage.Dump, LinkRecord.TryParse);
        ILookup<int, AddressRecord> addresses = netlink
            .Dump<AddressRecord>("addresses", AddressMessage.Dump, AddressMessage.TryParse)
            .ToLookup(address => address.Index);
        ImmutableArray<HostInterface> interfaces =
        [
            .. links.OrderBy(link => link.Index).Select(link => new HostInterface(
                link.Name, link.Index, link.Kind, link.Mtu, link.Up, [.. addresses[link.Index].Select(ToAddress)])),
        ];
        return new(interfaces, [.. ReadRoutes(netlink, Af.Inet, links), .. ReadRoutes(netlink, Af.Inet6, links)]);
    }

    /// <summary>The interface that has this address, or null: no packet can leave from it.</summary>
    public HostInterface? InterfaceOf(IPAddress address)
    {
        foreach (HostInterface candidate in Interfaces)
        {
            if (candidate.Addresses.Any(own => own.Address.Equals(address)))
            {
                return candidate;
            }
        }

        return null;
    }

    public bool HasAddress(IPAddress address) => InterfaceOf(address) is not null;

    /// <summary>MTU of the interface that has this address; null where none has.</summary>
    public int? MtuOf(IPAddress address) => InterfaceOf(address)?.Mtu;

    public bool HasDefaultRoute(AddressFamily family) => Routes.Any(route =>
        route.Destination.PrefixLength == 0 && route.Destination.BaseAddress.AddressFamily == family);

    /// <summary>The routes, except default ones, that share addresses with a prefix.</summary>
    public IEnumerable<HostRoute> Overlapping(IPNetwork prefix) => Routes.Where(route =>
        route.Destination.PrefixLength > 0
        && (route.Destination.Contains(prefix.BaseAddress) || prefix.Contains(route.Destination.BaseAddress)));

    private static HostAddress ToAddress(AddressRecord record) =>
        new(record.Address, record.PrefixLength, record.Scope == Rta.ScopeUniverse);

    private static IEnumerable<HostRoute> ReadRoutes(NetlinkSocket netlink, byte family, List<LinkRecord> links)
    {
        List<RouteRecord> records;
        try
        {
            records = netlink.Dump<RouteRecord>(
                "routes", batch => RouteMessage.Dump(batch, family, protocol: 0, Rta.MainTable), RouteMessage.TryParse);
        }
        catch (KernelException e) when (e.Errno is Errno.NoEntry or Errno.NotSupported)
        {
            // The main table is made with its first route; a kernel without IPv6 has none.
            return [];
        }

        return records.Where(record => record.Table == Rta.MainTable).Select(record => new HostRoute(
            record.Destination,
            record.Gateway,
            links.Find(link => link.Index == record.Device)?.Name ?? "",
            record.Metric,
            record.Protocol));
    }
}
