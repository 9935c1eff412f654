using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// The kernel as a model: what an operation does, with the side effects the kernel adds. Keeps an observation current
/// between dumps, and stands in for the kernel in simulations.
/// </summary>
public static class HostStateTransitions
{
    public static HostState After(this HostState state, Operation operation) => operation switch
    {
        Operation.CreateNamespace create => state.Namespaces.ContainsKey(create.Name)
            ? state
            : state.With(create.Name, NewNamespace),
        Operation.DeleteNamespace delete => state.Namespaces.TryGetValue(delete.Name, out NamespaceState? gone)
            ? gone.Links.Values.Aggregate(state, (s, l) => s.WithoutLink(delete.Name, l.Name)).Without(delete.Name)
            : state,
        Operation.CreateLink create => state.AfterCreate(create),
        Operation.DeleteLink delete => state.WithoutLink(delete.In, delete.Name),
        _ => state.Namespaces.TryGetValue(operation.Namespace, out NamespaceState? before)
            ? state.With(operation.Namespace, Within(before, operation))
            : state,
    };

    /// <summary>A namespace as <see cref="Operation.CreateNamespace"/> leaves it.</summary>
    internal static NamespaceState NewNamespace => NamespaceState.Empty with
    {
        Links = NamespaceState.Empty.Links.Add("lo", new() { Name = "lo", Kind = LinkKind.Loopback, Mtu = 65536, Up = true }),
    };

    private static HostState With(this HostState state, NamespaceName name, NamespaceState value) =>
        new() { Namespaces = state.Namespaces.SetItem(name, value) };

    private static HostState Without(this HostState state, NamespaceName name) =>
        new() { Namespaces = state.Namespaces.Remove(name) };

    private static HostState AfterCreate(this HostState state, Operation.CreateLink create)
    {
        HostState cleared = state.WithoutLink(create.In, create.Link.Name);
        if (create.Link.Peer is { } peer)
        {
            cleared = cleared.WithoutLink(peer.Namespace, peer.Name);
            if (cleared.Namespaces.TryGetValue(peer.Namespace, out NamespaceState? there))
            {
                LinkState end = (create.PeerLink ?? new() { Name = peer.Name, Kind = LinkKind.Veth }) with
                {
                    Peer = new(create.In, create.Link.Name),
                };
                cleared = cleared.With(peer.Namespace, there with { Links = there.Links.SetItem(peer.Name, end) });
            }
        }

        return cleared.Namespaces.TryGetValue(create.In, out NamespaceState? here)
            ? cleared.With(create.In, here with { Links = here.Links.SetItem(create.Link.Name, create.Link) })
            : cleared;
    }

    /// <summary>Deleting a link takes its entries, its ports' master and, of a pair, the other end.</summary>
    private static HostState WithoutLink(this HostState state, NamespaceName name, string link)
    {
        if (!state.Namespaces.TryGetValue(name, out NamespaceState? inside) || !inside.Links.TryGetValue(link, out LinkState? gone))
        {
            return state;
        }

        HostState after = state.With(name, Strip(inside, link));
        if (gone.Peer is { } known && state.FindLink(known.Namespace, known.Name) is { Peer: { } back } && back == new VethPeer(name, link))
        {
            return after.With(known.Namespace, Strip(after.Namespaces[known.Namespace], known.Name));
        }

        return after;
    }

    private static NamespaceState Strip(NamespaceState state, string link) => state with
    {
        Links = state.Links.Remove(link).ToImmutableSortedDictionary(
            static l => l.Key, l => l.Value.Master == link ? l.Value with { Master = null } : l.Value, StringComparer.Ordinal),
        Addresses = [.. state.Addresses.Where(a => a.Device != link)],
        Fdb = [.. state.Fdb.Where(f => f.Device != link)],
        Neighbours = [.. state.Neighbours.Where(n => n.Device != link)],
        Routes = [.. state.Routes.Where(r => r.Device != link)],
        Sysctls = state.Sysctls.RemoveRange(state.Sysctls.Keys.Where(path => Planner.DeviceOf(path) == link)),
    };

    private static NamespaceState Within(NamespaceState state, Operation operation) => operation switch
    {
        Operation.SetSysctl set => state with { Sysctls = state.Sysctls.SetItem(set.Path, set.Value) },
        Operation.ChangeLink change => state.Links.TryGetValue(change.Name, out LinkState? link)
            ? Changed(state, link, change)
            : state,
        Operation.ReplaceAddress replace => state with { Addresses = state.Addresses.Add(replace.Entry) },
        Operation.DeleteAddress delete => WithoutAddress(state, delete.Entry),
        Operation.ReplaceRoute replace => state with
        {
            Routes =
            [
                .. state.Routes.Where(r => !r.HasKeyOf(replace.Entry)),
                replace.Entry,
            ],
        },
        Operation.DeleteRoute delete => state with { Routes = state.Routes.Remove(delete.Entry) },
        Operation.AddRule add => state with { Rules = state.Rules.Add(add.Entry) },
        Operation.DeleteRule delete => state with { Rules = state.Rules.Remove(delete.Entry) },
        Operation.ReplaceNeighbour replace => state with
        {
            Neighbours = Replace(
                state.Neighbours, replace.Entry, new NeighbourEntry(replace.Entry.Device, replace.Entry.Address, default),
                e => e.Device == replace.Entry.Device && e.Address.Equals(replace.Entry.Address)),
        },
        Operation.DeleteNeighbour delete => state with { Neighbours = state.Neighbours.Remove(delete.Entry) },
        Operation.ReplaceFdb replace => state with
        {
            Fdb = Replace(
                state.Fdb, replace.Entry, new FdbEntry(replace.Entry.Device, replace.Entry.Mac, IPAddress.Any),
                e => e.Device == replace.Entry.Device && e.Mac == replace.Entry.Mac),
        },
        Operation.DeleteFdb delete => state with { Fdb = state.Fdb.Remove(delete.Entry) },
        Operation.ReplaceNftTable replace => state with { NftTable = replace.Table },
        Operation.DeleteNftTable => state with { NftTable = null },
        Operation.SetIpvsService set => state with { Ipvs = state.Ipvs.SetItem(set.Service.Mark, set.Service) },
        Operation.DeleteIpvsService delete => state with { Ipvs = state.Ipvs.Remove(delete.Service.Mark) },
        Operation.SetIpvsTimeouts set => state with { IpvsTimeouts = set.Timeouts },
        Operation.ForgetFlows or Operation.ForgetPortFlows => state,
        _ => throw new InvariantException($"an operation of a known kind ({operation.GetType().Name})"),
    };

    /// <summary>Replaces the entries of one key, which stand together in the order, without a look at the others.</summary>
    private static ImmutableSortedSet<T> Replace<T>(ImmutableSortedSet<T> set, T entry, T smallest, Func<T, bool> sameKey)
    {
        int index = set.IndexOf(smallest);
        int at = index < 0 ? ~index : index;
        while (at < set.Count && sameKey(set[at]))
        {
            set = set.Remove(set[at]);
        }

        return set.Add(entry);
    }

    /// <summary>
    /// With an IPv4 address the kernel may take the others of its subnet (promote_secondaries is 0 and this one was the
    /// first; a dump does not tell, so all count as gone), and with the last one the link's IPv4 routes.
    /// </summary>
    private static NamespaceState WithoutAddress(NamespaceState state, AddressEntry gone)
    {
        if (gone.Address.AddressFamily != AddressFamily.InterNetwork || !state.Addresses.Contains(gone))
        {
            return state with { Addresses = state.Addresses.Remove(gone) };
        }

        ImmutableSortedSet<AddressEntry> left =
        [
            .. state.Addresses.Where(a => a != gone && !(a.Device == gone.Device && a.PrefixLength == gone.PrefixLength
                && a.Address.AddressFamily == AddressFamily.InterNetwork && SubnetOf(a).Contains(gone.Address))),
        ];
        bool last = !left.Any(a => a.Device == gone.Device && a.Address.AddressFamily == AddressFamily.InterNetwork);
        return state with
        {
            Addresses = left,
            Routes = last
                ? [.. state.Routes.Where(r => r.Device != gone.Device
                    || r.Destination.BaseAddress.AddressFamily != AddressFamily.InterNetwork)]
                : state.Routes,
        };
    }

    internal static IPNetwork SubnetOf(AddressEntry entry)
    {
        byte[] bytes = entry.Address.GetAddressBytes();
        for (int bit = entry.PrefixLength; bit < bytes.Length * 8; bit++)
        {
            bytes[bit / 8] &= (byte)~(0x80 >> (bit % 8));
        }

        return new(new(bytes), entry.PrefixLength);
    }

    /// <summary>A link that goes down loses its routes and IPv6 addresses.</summary>
    private static NamespaceState Changed(NamespaceState state, LinkState link, Operation.ChangeLink change)
    {
        bool moves = change.Master is not null && change.Master != (link.Master ?? "");
        LinkState changed = link with
        {
            Mtu = change.Mtu ?? link.Mtu,
            Mac = change.Mac ?? link.Mac,
            Master = change.Master is { } master ? (master.Length == 0 ? null : master) : link.Master,
            Up = change.Up ?? link.Up,
            Alias = change.Alias ?? link.Alias,
            Isolated = change.Isolated ?? (link.Isolated && !moves),
        };
        NamespaceState after = state with { Links = state.Links.SetItem(link.Name, changed) };
        return changed.Up || !link.Up
            ? after
            : after with
            {
                Routes = [.. state.Routes.Where(r => r.Device != link.Name)],
                Neighbours = [.. state.Neighbours.Where(n => n.Device != link.Name)],
                Addresses = [.. state.Addresses.Where(a => a.Device != link.Name
                    || a.Address.AddressFamily == AddressFamily.InterNetwork)],
            };
    }
}
