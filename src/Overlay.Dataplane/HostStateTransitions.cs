using System.Collections.Immutable;
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

    /// <summary>Null if the kernel would accept the operation now; else the error it would give.</summary>
    public static string? Refusal(this HostState state, Operation operation)
    {
        bool needsNamespace = operation is not (Operation.CreateNamespace or Operation.DeleteNamespace);
        if (!state.Namespaces.TryGetValue(operation.Namespace, out NamespaceState? inside))
        {
            return needsNamespace ? $"ENOENT: no namespace {operation.Namespace}" : null;
        }

        string? device = operation switch
        {
            Operation.ChangeLink change => change.Name,
            Operation.ReplaceAddress replace => replace.Entry.Device,
            Operation.ReplaceRoute replace => replace.Entry.Device,
            Operation.ReplaceFdb replace => replace.Entry.Device,
            Operation.ReplaceNeighbour replace => replace.Entry.Device,
            Operation.CreateLink { Link.Master: { } master } => master,
            _ => null,
        };
        if (device is not null && !inside.Links.ContainsKey(device))
        {
            return $"ENODEV: no link {device} in {operation.Namespace}";
        }

        return operation is Operation.CreateLink { Link.Peer: { } peer } && !state.Namespaces.ContainsKey(peer.Namespace)
            ? $"ENOENT: no namespace {peer.Namespace}"
            : null;
    }

    private static NamespaceState NewNamespace => NamespaceState.Empty with
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
        foreach ((NamespaceName other, NamespaceState there) in after.Namespaces)
        {
            foreach (LinkState end in there.Links.Values)
            {
                bool paired = gone.Peer is { } peer
                    ? peer.Namespace == other && peer.Name == end.Name
                    : end.Peer is { } back && back.Namespace == name && back.Name == link;
                if (paired && end.Kind == LinkKind.Veth)
                {
                    return after.With(other, Strip(there, end.Name));
                }
            }
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
    };

    private static NamespaceState Within(NamespaceState state, Operation operation) => operation switch
    {
        Operation.SetSysctl set => state with { Sysctls = state.Sysctls.SetItem(set.Path, set.Value) },
        Operation.ChangeLink change => state.Links.TryGetValue(change.Name, out LinkState? link)
            ? state with { Links = state.Links.SetItem(change.Name, Changed(link, change)) }
            : state,
        Operation.ReplaceAddress replace => state with { Addresses = state.Addresses.Add(replace.Entry) },
        Operation.DeleteAddress delete => state with { Addresses = state.Addresses.Remove(delete.Entry) },
        Operation.ReplaceRoute replace => state with
        {
            Routes =
            [
                .. state.Routes.Where(r => !(r.Destination.Equals(replace.Entry.Destination) && r.Metric == replace.Entry.Metric)),
                replace.Entry,
            ],
        },
        Operation.DeleteRoute delete => state with { Routes = state.Routes.Remove(delete.Entry) },
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
                state.Fdb, replace.Entry, new FdbEntry(replace.Entry.Device, replace.Entry.Mac, System.Net.IPAddress.Any),
                e => e.Device == replace.Entry.Device && e.Mac == replace.Entry.Mac),
        },
        Operation.DeleteFdb delete => state with { Fdb = state.Fdb.Remove(delete.Entry) },
        Operation.ReplaceNftTable replace => state with { NftTable = replace.Table },
        Operation.DeleteNftTable => state with { NftTable = null },
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

    private static LinkState Changed(LinkState link, Operation.ChangeLink change) => link with
    {
        Mtu = change.Mtu ?? link.Mtu,
        Mac = change.Mac ?? link.Mac,
        Master = change.Master is { } master ? (master.Length == 0 ? null : master) : link.Master,
        Up = change.Up ?? link.Up,
        Alias = change.Alias ?? link.Alias,
    };
}
