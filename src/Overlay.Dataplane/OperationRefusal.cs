namespace Overlay.Dataplane;

/// <summary>What the kernel would not do: the errors of the model, as those of the real one.</summary>
public static class OperationRefusal
{
    /// <summary>Null if the kernel would accept the operation now; else the error it would give.</summary>
    public static string? Refusal(this HostState state, Operation operation)
    {
        if (!state.Namespaces.TryGetValue(operation.Namespace, out NamespaceState? inside))
        {
            return operation is Operation.CreateNamespace || IsRemoval(operation)
                ? null
                : $"ENOENT: no namespace {operation.Namespace}";
        }

        if (DeviceOf(operation) is { } device && inside.FindLink(device) is null)
        {
            return $"ENODEV: no link {device} in {operation.Namespace}";
        }

        return operation switch
        {
            Operation.CreateLink create => OfCreate(state, inside, create),
            Operation.ChangeLink change => OfChange(inside, change),
            Operation.SetSysctl set when Planner.DeviceOf(set.Path) is { } link && inside.FindLink(link) is null =>
                $"ENOENT: no {set.Path} without link {link} in {set.In}",
            Operation.ReplaceRoute replace => OfRoute(inside, replace.Entry),
            Operation.ReplaceFdb replace => OfTunnel(inside, replace.Entry.Device),
            Operation.ReplaceNeighbour replace => OfTunnel(inside, replace.Entry.Device),
            _ => null,
        };
    }

    private static bool IsRemoval(Operation operation) =>
        operation is Operation.DeleteNamespace or Operation.DeleteLink or Operation.DeleteAddress or Operation.DeleteRoute
            or Operation.DeleteRule or Operation.DeleteNeighbour or Operation.DeleteFdb or Operation.DeleteNftTable or Operation.ForgetFlows
            or Operation.ForgetPortFlows or Operation.DeleteIpvsService;

    private static string? DeviceOf(Operation operation) => operation switch
    {
        Operation.ChangeLink change => change.Name,
        Operation.ReplaceAddress replace => replace.Entry.Device,
        Operation.ReplaceRoute replace => replace.Entry.Device,
        Operation.ReplaceFdb replace => replace.Entry.Device,
        Operation.ReplaceNeighbour replace => replace.Entry.Device,
        _ => null,
    };

    private static string? OfCreate(HostState state, NamespaceState inside, Operation.CreateLink create)
    {
        LinkState link = create.Link;
        if (link.Master is { } master && inside.FindLink(master)?.Kind != LinkKind.Bridge)
        {
            return $"ENODEV: no bridge {master} in {create.In}";
        }

        if (link.Vxlan is { } vxlan && HolderOf(state, vxlan, (create.In, link.Name)) is { } holder)
        {
            return $"EEXIST: VNI {vxlan.Vni} is taken by {holder}";
        }

        if (link.Peer is not { } peer)
        {
            return null;
        }

        if (!state.Namespaces.ContainsKey(peer.Namespace))
        {
            return $"ENOENT: no namespace {peer.Namespace}";
        }

        bool sandbox = !peer.Namespace.IsHost && !peer.Namespace.IsOverlay;
        return sandbox && state.FindLink(peer.Namespace, peer.Name) is { } end && !VethPairs.IsOurs(end)
            ? $"EEXIST: {peer.Name} in {peer.Namespace} is not overlayd's"
            : null;
    }

    /// <summary>VXLAN devices share the host's UDP sockets, wherever they are: a port has each VNI once.</summary>
    private static string? HolderOf(HostState state, VxlanAttributes vxlan, (NamespaceName Namespace, string Name) except)
    {
        foreach ((NamespaceName name, NamespaceState inside) in state.Namespaces)
        {
            foreach (LinkState link in inside.Links.Values)
            {
                if (link.Vxlan is { } other && other.Vni == vxlan.Vni && other.Port == vxlan.Port && (name, link.Name) != except)
                {
                    return $"{link.Name} in {name}";
                }
            }
        }

        return null;
    }

    private static string? OfChange(NamespaceState inside, Operation.ChangeLink change)
    {
        if (change.Master is { Length: > 0 } master && inside.FindLink(master)?.Kind != LinkKind.Bridge)
        {
            return $"ENODEV: no bridge {master} in {change.In}";
        }

        return change.Isolated is not null && inside.FindLink(change.Name)?.Master is null
            ? $"EOPNOTSUPP: {change.Name} is no port of a bridge"
            : null;
    }

    private static string? OfRoute(NamespaceState inside, RouteEntry route)
    {
        if (inside.FindLink(route.Device) is not { Up: true })
        {
            return $"ENETDOWN: {route.Device} is down";
        }

        bool reachable = route.Gateway is not { } gateway
            || inside.Addresses.Any(a => a.Device == route.Device && HostStateTransitions.SubnetOf(a).Contains(gateway))
            || inside.Routes.Any(r => r.Device == route.Device && r.Gateway is null && r.Destination.Contains(gateway));
        return reachable ? null : $"ENETUNREACH: no way to gateway {route.Gateway} on {route.Device}";
    }

    private static string? OfTunnel(NamespaceState inside, string device) =>
        inside.FindLink(device)?.Kind == LinkKind.Vxlan ? null : $"EOPNOTSUPP: {device} is no VXLAN device";
}
