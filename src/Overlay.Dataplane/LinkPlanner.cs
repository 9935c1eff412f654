namespace Overlay.Dataplane;

/// <summary>The links' part of a plan, for one namespace.</summary>
internal sealed class LinkPlanner(Stages stages, VethPairs pairs, HostState desired)
{
    private readonly SortedSet<string> made = new(StringComparer.Ordinal);
    private readonly SortedSet<string> absent = new(StringComparer.Ordinal);

    /// <summary>Adds the operations; the answer says what becomes of the namespace's links.</summary>
    public LinkFates Plan(NamespaceName name, NamespaceState wish, NamespaceState actual)
    {
        foreach (LinkState link in wish.Links.Values)
        {
            LinkState? present = actual.FindLink(link.Name);
            switch (link.Kind)
            {
                case LinkKind.Loopback when present is null:
                    stages.LinkChanges.Add(new Operation.ChangeLink(name, link.Name, Up: true));
                    break;
                case LinkKind.Veth:
                    PlanEnd(name, link, present);
                    break;
                default:
                    PlanDevice(name, link, present);
                    break;
            }
        }

        RemoveUnwanted(name, wish, actual);
        return new(made, absent);
    }

    private void PlanDevice(NamespaceName name, LinkState link, LinkState? present)
    {
        if (present is not null && link.Kind == present.Kind && (link.Vxlan is null || link.Vxlan == present.Vxlan))
        {
            Change(name, link, present);
            return;
        }

        if (present is not null)
        {
            stages.Conflicts.Add(new Operation.DeleteLink(name, link.Name));
        }

        (link.Kind == LinkKind.Bridge ? stages.Bridges : stages.Vxlans).Add(new Operation.CreateLink(name, link));
        made.Add(link.Name);
    }

    private void PlanEnd(NamespaceName name, LinkState link, LinkState? present)
    {
        PairState state = pairs.Of(name, link.Name);
        if (state == PairState.Present)
        {
            Change(name, link, present!);
            return;
        }

        // The sandbox's end comes with the other one. A stranger's link in its place gets nothing of ours.
        (state == PairState.Missing ? made : absent).Add(link.Name);
        if (link.Peer is not { } peer || state == PairState.Unreachable)
        {
            return;
        }

        if (present is not null)
        {
            stages.Conflicts.Add(new Operation.DeleteLink(name, link.Name));
        }

        // Where a stranger blocks it this fails, and says to the operator what is in the way.
        LinkState? other = desired.FindLink(peer.Namespace, peer.Name);
        stages.Veths.Add(new Operation.CreateLink(name, link, other));
    }

    private void Change(NamespaceName name, LinkState wish, LinkState actual)
    {
        bool moves = wish.Master is not null && wish.Master != actual.Master;
        Operation.ChangeLink change = new(
            name, wish.Name,
            Mtu: wish.Mtu > 0 && wish.Mtu != actual.Mtu ? wish.Mtu : null,
            Mac: wish.Mac is { } mac && mac != actual.Mac ? mac : null,
            Master: moves ? wish.Master : null,
            Up: wish.Up && !actual.Up ? true : null,
            Alias: wish.Alias.Length > 0 && wish.Alias != actual.Alias ? wish.Alias : null);
        if (change is not { Mtu: null, Mac: null, Master: null, Up: null, Alias: null })
        {
            stages.LinkChanges.Add(change);
        }

        // Isolation is the port's, not the link's: another bridge forgets it, and takes it from a port of its own only.
        if (wish.Isolated && (moves || !actual.Isolated))
        {
            stages.LinkChanges.Add(new Operation.ChangeLink(name, wish.Name, Isolated: true));
        }
    }

    private void RemoveUnwanted(NamespaceName name, NamespaceState wish, NamespaceState actual)
    {
        foreach (LinkState link in actual.Links.Values)
        {
            bool ours = name.IsOverlay
                ? link.Kind is LinkKind.Bridge or LinkKind.Vxlan or LinkKind.Veth
                : name.IsHost
                    ? link.Name == GatewayBridge.Name || IsGatewayPort(link)
                    : VethPairs.IsOurs(link);
            if (ours && !wish.Links.ContainsKey(link.Name))
            {
                // A VXLAN device keeps others from its VNI.
                (link.Kind == LinkKind.Vxlan ? stages.Conflicts : stages.Removals).Add(new Operation.DeleteLink(name, link.Name));
                absent.Add(link.Name);
            }
        }
    }

    private static bool IsGatewayPort(LinkState link) =>
        link.Kind == LinkKind.Veth && link.Name.StartsWith(GatewayBridge.PortPrefix, StringComparison.Ordinal);
}

/// <summary>What a plan does with a namespace's links.</summary>
/// <param name="Made">Made anew: whatever entries were found on them are gone.</param>
/// <param name="Absent">Removed, or not ours: no entry is planned on them.</param>
internal sealed record LinkFates(SortedSet<string> Made, SortedSet<string> Absent)
{
    /// <summary>The link stays as it was found, with its entries.</summary>
    public bool Stays(string device) => !Made.Contains(device) && !Absent.Contains(device);
}
