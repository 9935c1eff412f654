using System.Collections.Immutable;
using Overlay.Dataplane;
using Overlay.Linux.Execution;
using Overlay.Linux.Ipvs;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Observation;

/// <summary>Reads one namespace as a value, by netlink dumps that the kernel filters.</summary>
internal sealed class Observer(NamespaceSessions sessions, IpvsFamily ipvs)
{
    public NamespaceState Observe(NamespaceSession session, IReadOnlyCollection<string> sysctls)
    {
        NetlinkSocket netlink = session.Netlink;
        List<LinkRecord> links = netlink.Dump<LinkRecord>("interfaces", LinkMessage.Dump, LinkRecord.TryParse);
        SortedDictionary<int, string> names = [];
        foreach (LinkRecord link in links)
        {
            names[link.Index] = link.Name;
        }

        List<LinkRecord> vxlans = [.. links.Where(link => link.Kind == LinkKind.Vxlan)];
        sessions.Enter(session);
        return WithIpvs(session, new()
        {
            Links = Links(links, names),
            Addresses = Addresses(netlink, names),
            Fdb = [.. vxlans.SelectMany(link => Fdb(netlink, link))],
            Neighbours = [.. vxlans.SelectMany(link => Neighbours(netlink, link))],
            Routes = [.. Routes(netlink, Af.Inet, names), .. Routes(netlink, Af.Inet6, names)],
            Rules = [.. Rules(netlink, Af.Inet), .. Rules(netlink, Af.Inet6)],
            Sysctls = Sysctls(sysctls),
            NftTable = NftTable(session),
        });
    }

    private NamespaceState WithIpvs(NamespaceSession session, NamespaceState state) => ipvs.Number == 0
        ? state
        : state with
        {
            Ipvs = IpvsTable.Read(session.GenericHere(), ipvs.Number),
            IpvsTimeouts = IpvsTable.ReadTimeouts(session.GenericHere(), ipvs.Number),
        };

    private static ImmutableSortedDictionary<string, LinkState> Links(
        List<LinkRecord> links, SortedDictionary<int, string> names)
    {
        var builder = ImmutableSortedDictionary.CreateBuilder<string, LinkState>(StringComparer.Ordinal);
        foreach (LinkRecord link in links)
        {
            builder[link.Name] = new()
            {
                Name = link.Name,
                Kind = link.Kind,
                Mac = link.Mac,
                Mtu = link.Mtu,
                Up = link.Up,
                Master = names.GetValueOrDefault(link.Master),
                Isolated = link.Isolated,
                Vxlan = link.Vxlan,
                Alias = link.Alias,
                Index = link.Index,
            };
        }

        return builder.ToImmutable();
    }

    private static ImmutableSortedSet<AddressEntry> Addresses(
        NetlinkSocket netlink, SortedDictionary<int, string> names)
    {
        var builder = ImmutableSortedSet.CreateBuilder<AddressEntry>();
        foreach (AddressRecord address in netlink.Dump<AddressRecord>(
            "addresses", AddressMessage.Dump, AddressMessage.TryParse))
        {
            if (names.TryGetValue(address.Index, out string? name))
            {
                builder.Add(new(name, address.Address, address.PrefixLength));
            }
        }

        return builder.ToImmutable();
    }

    private static IEnumerable<FdbEntry> Fdb(NetlinkSocket netlink, LinkRecord vxlan)
    {
        foreach (NeighbourRecord entry in Neighbours(netlink, batch => NeighbourMessage.DumpFdb(batch, vxlan.Index)))
        {
            if (entry.Index == vxlan.Index && (entry.Flags & Nda.Self) != 0
                && (entry.State & (Nda.Permanent | Nda.NoArp)) != 0
                && entry is { Mac: { } mac, Destination: { } vtep })
            {
                yield return new(vxlan.Name, mac, vtep);
            }
        }
    }

    private static IEnumerable<NeighbourEntry> Neighbours(NetlinkSocket netlink, LinkRecord vxlan)
    {
        foreach (NeighbourRecord entry in Neighbours(netlink, batch => NeighbourMessage.Dump(batch, vxlan.Index)))
        {
            if (entry.Index == vxlan.Index && entry.Family is Af.Inet or Af.Inet6
                && (entry.State & Nda.Permanent) != 0
                && entry is { Mac: { } mac, Destination: { } address })
            {
                yield return new(vxlan.Name, address, mac);
            }
        }
    }

    /// <summary>A device that goes away meanwhile has no entries.</summary>
    private static List<NeighbourRecord> Neighbours(NetlinkSocket netlink, Action<MessageBuilder> write)
    {
        try
        {
            return netlink.Dump<NeighbourRecord>("neighbours", write, NeighbourMessage.TryParse);
        }
        catch (KernelException e) when (e.Errno is Errno.NoDevice)
        {
            return [];
        }
    }

    private static IEnumerable<RuleEntry> Rules(NetlinkSocket netlink, byte family)
    {
        try
        {
            return netlink.Dump<RuleRecord>("rules", batch => RuleMessage.Dump(batch, family), RuleMessage.TryParse)
                .Where(static r => r.Protocol == RouteEntry.Protocol).Select(static r => r.Entry);
        }
        catch (KernelException e) when (e.Errno is Errno.NoEntry or Errno.NotSupported)
        {
            // A kernel without IPv6 has none.
            return [];
        }
    }

    private static IEnumerable<RouteEntry> Routes(
        NetlinkSocket netlink, byte family, SortedDictionary<int, string> names)
    {
        List<RouteRecord> routes;
        try
        {
            routes = netlink.Dump<RouteRecord>(
                "routes",
                batch => RouteMessage.Dump(batch, family, RouteEntry.Protocol, Rta.AllTables),
                RouteMessage.TryParse);
        }
        catch (KernelException e) when (e.Errno is Errno.NoEntry or Errno.NotSupported)
        {
            // A kernel without IPv6 has none.
            yield break;
        }

        foreach (RouteRecord route in routes)
        {
            if (route.Protocol == RouteEntry.Protocol && RouteEntry.IsKnown(route.Table)
                && names.TryGetValue(route.Device, out string? name))
            {
                yield return new(route.Destination, route.Gateway, name, route.Metric, (int)route.Table);
            }
        }
    }

    /// <summary>
    /// A table that cannot be listed counts as absent: nothing else must wait for nft, and the operation that then
    /// replaces the table tells what is wrong.
    /// </summary>
    private static string? NftTable(NamespaceSession session)
    {
        try
        {
            return session.NftHere().List();
        }
        catch (KernelException)
        {
            return null;
        }
    }

    private static ImmutableSortedDictionary<string, string> Sysctls(IReadOnlyCollection<string> paths)
    {
        var builder = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (string path in paths)
        {
            if (SysctlFile.IsValidPath(path) && SysctlFile.Read(path) is { } value)
            {
                builder[path] = value;
            }
        }

        return builder.ToImmutable();
    }
}
