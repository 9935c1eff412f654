using System.Collections.Immutable;

namespace Overlay.Dataplane;

/// <summary>The links' part of a plan.</summary>
internal static class LinkPlanner
{
    private const string AliasPrefix = "overlayd ";

    /// <summary>Adds the operations; returns the names of links that are made (again), whose entries start empty.</summary>
    public static SortedSet<string> Plan(
        Planner.Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, HostState desired,
        HostState observed, ImmutableSortedSet<NamespaceName> unreachable)
    {
        SortedSet<string> made = new(StringComparer.Ordinal);
        foreach (LinkState link in wish.Links.Values)
        {
            if (link.Peer is { } peer && unreachable.Contains(peer.Namespace))
            {
                continue;
            }

            bool exists = actual.Links.TryGetValue(link.Name, out LinkState? present);
            if (exists && IsSame(link, present!) && PeerExists(link, observed))
            {
                Change(stages, name, link, present!);
                continue;
            }

            switch (link.Kind)
            {
                case LinkKind.Loopback:
                    // The kernel makes it with the namespace, and down.
                    stages.LinkChanges.Add(new Operation.ChangeLink(name, link.Name, Up: true));
                    break;
                case LinkKind.Veth when link.Peer is { } end:
                    if (exists)
                    {
                        stages.Conflicts.Add(new Operation.DeleteLink(name, link.Name));
                    }

                    stages.Veths.Add(new Operation.CreateLink(name, link, WishOf(end, desired)));
                    made.Add(link.Name);
                    break;
                case LinkKind.Veth:
                    // The sandbox's end: made together with the other one, in the network's or the host's namespace.
                    made.Add(link.Name);
                    break;
                default:
                    if (exists)
                    {
                        stages.Conflicts.Add(new Operation.DeleteLink(name, link.Name));
                    }

                    (link.Kind == LinkKind.Bridge ? stages.Bridges : stages.Vxlans).Add(new Operation.CreateLink(name, link));
                    made.Add(link.Name);
                    break;
            }
        }

        MarkMadeFromElsewhere(name, wish, desired, observed, unreachable, made);
        RemoveUnwanted(stages, name, wish, actual);
        return made;
    }

    /// <summary>A sandbox's link is new if the other end is made anew, even when an old one is there still.</summary>
    private static void MarkMadeFromElsewhere(
        NamespaceName name, NamespaceState wish, HostState desired, HostState observed,
        ImmutableSortedSet<NamespaceName> unreachable, SortedSet<string> made)
    {
        if (name.IsHost || name.IsOverlay || unreachable.Contains(name))
        {
            return;
        }

        foreach ((NamespaceName other, NamespaceState state) in desired.Namespaces)
        {
            foreach (LinkState link in state.Links.Values.Where(l => l.Peer?.Namespace == name && wish.Links.ContainsKey(l.Peer.Value.Name)))
            {
                bool there = observed.Namespaces.TryGetValue(other, out NamespaceState? actual)
                    && actual.Links.TryGetValue(link.Name, out LinkState? present) && IsSame(link, present)
                    && PeerExists(link, observed);
                if (!there)
                {
                    made.Add(link.Peer!.Value.Name);
                }
            }
        }
    }

    private static LinkState? WishOf(VethPeer end, HostState desired) =>
        desired.Namespaces.TryGetValue(end.Namespace, out NamespaceState? state) && state.Links.TryGetValue(end.Name, out LinkState? link)
            ? link
            : null;

    private static bool IsSame(LinkState wish, LinkState actual) =>
        wish.Kind == actual.Kind && (wish.Vxlan is null || wish.Vxlan == actual.Vxlan)
        && (wish.Alias.Length == 0 || wish.Alias == actual.Alias);

    /// <summary>One end of a pair never lives without the other; the other may be where or called what we did not want.</summary>
    private static bool PeerExists(LinkState wish, HostState observed) =>
        wish.Peer is not { } peer
        || (observed.Namespaces.TryGetValue(peer.Namespace, out NamespaceState? state)
            && state.Links.TryGetValue(peer.Name, out LinkState? end)
            && end.Alias.StartsWith(AliasPrefix, StringComparison.Ordinal));

    private static void Change(Planner.Stages stages, NamespaceName name, LinkState wish, LinkState actual)
    {
        Operation.ChangeLink change = new(
            name, wish.Name,
            Mtu: wish.Mtu > 0 && wish.Mtu != actual.Mtu ? wish.Mtu : null,
            Mac: wish.Mac is { } mac && mac != actual.Mac ? mac : null,
            Master: wish.Master is not null && wish.Master != actual.Master ? wish.Master : null,
            Up: wish.Up && !actual.Up ? true : null);
        if (change is not { Mtu: null, Mac: null, Master: null, Up: null })
        {
            stages.LinkChanges.Add(change);
        }
    }

    private static void RemoveUnwanted(Planner.Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual)
    {
        foreach (LinkState link in actual.Links.Values)
        {
            bool ours = name.IsOverlay
                ? link.Kind is LinkKind.Bridge or LinkKind.Vxlan or LinkKind.Veth
                : name.IsHost
                    ? link.Name == GatewayBridge.Name || IsGatewayPort(link)
                    : link.Alias.StartsWith(AliasPrefix, StringComparison.Ordinal);
            if (ours && !wish.Links.ContainsKey(link.Name))
            {
                stages.Removals.Add(new Operation.DeleteLink(name, link.Name));
            }
        }
    }

    private static bool IsGatewayPort(LinkState link) =>
        link.Kind == LinkKind.Veth && link.Name.StartsWith(GatewayBridge.PortPrefix, StringComparison.Ordinal);
}
