using System.Collections.Immutable;

namespace Overlay.Dataplane;

/// <summary>
/// Compares the wish with the observation. It knows which objects are ours: everything in ov-… namespaces; in the
/// host's the bridge ovgw0, its ports ovg… and the table inet overlayd; in sandboxes the links whose alias begins with
/// "overlayd " and the routes of our protocol. A stranger's object is never touched.
/// </summary>
public static class Planner
{
    private static readonly NamespaceName Ingress = new("ov-ingress");

    /// <summary>What must be observed for a plan: all that is wanted, and all that is ours already.</summary>
    public static ImmutableArray<NamespaceName> NamespacesToObserve(HostState desired, IEnumerable<NamespaceName> overlays) =>
        [.. desired.Namespaces.Keys.Union(overlays).Where(static n => n != Ingress).Order()];

    public static Plan Plan(HostState desired, HostState observed)
    {
        Stages stages = new();
        ImmutableSortedSet<NamespaceName> unreachable =
        [
            .. desired.Namespaces.Keys.Where(n => !n.IsHost && !n.IsOverlay && !observed.Namespaces.ContainsKey(n)),
        ];
        foreach ((NamespaceName name, NamespaceState wish) in desired.Namespaces)
        {
            if (unreachable.Contains(name))
            {
                continue;
            }

            if (!observed.Namespaces.TryGetValue(name, out NamespaceState? actual))
            {
                actual = NamespaceState.Empty;
                if (name.IsOverlay)
                {
                    stages.Namespaces.Add(new Operation.CreateNamespace(name));
                }
            }

            PlanNamespace(stages, name, wish, actual, desired, observed, unreachable);
        }

        foreach (NamespaceName name in observed.Namespaces.Keys)
        {
            if (name.IsOverlay && name != Ingress && !desired.Namespaces.ContainsKey(name))
            {
                stages.Last.Add(new Operation.DeleteNamespace(name));
            }
        }

        return new(stages.InOrder(), unreachable);
    }

    private static void PlanNamespace(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, HostState desired, HostState observed,
        ImmutableSortedSet<NamespaceName> unreachable)
    {
        foreach ((string path, string value) in wish.Sysctls)
        {
            if (!actual.Sysctls.TryGetValue(path, out string? present) || present != value)
            {
                stages.Sysctls.Add(new Operation.SetSysctl(name, path, value));
            }
        }

        SortedSet<string> made = LinkPlanner.Plan(stages, name, wish, actual, desired, observed, unreachable);
        PlanAddresses(stages, name, wish, actual, made);
        PlanTunnels(stages, name, wish, actual, made);
        PlanRoutes(stages, name, wish, actual, made);
        if (wish.NftTable != actual.NftTable && (wish.NftTable is not null || name.IsHost || name.IsOverlay))
        {
            stages.Nft.Add(wish.NftTable is { } table
                ? new Operation.ReplaceNftTable(name, table)
                : new Operation.DeleteNftTable(name));
        }
    }

    private static void PlanAddresses(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, SortedSet<string> made)
    {
        foreach (AddressEntry entry in wish.Addresses)
        {
            if (made.Contains(entry.Device) || !actual.Addresses.Contains(entry))
            {
                stages.Addresses.Add(new Operation.ReplaceAddress(name, entry));
            }
        }

        foreach (AddressEntry entry in actual.Addresses)
        {
            // In a sandbox a second address may be its owner's wish; the kernel's own link-local ones stay everywhere.
            bool ours = name.IsOverlay ? entry.Device != "lo" : name.IsHost && entry.Device == GatewayBridge.Name;
            if (ours && !entry.Address.IsIPv6LinkLocal && !made.Contains(entry.Device) && !wish.Addresses.Contains(entry)
                && wish.Links.ContainsKey(entry.Device))
            {
                stages.Removals.Add(new Operation.DeleteAddress(name, entry));
            }
        }
    }

    private static void PlanTunnels(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, SortedSet<string> made)
    {
        SortedSet<(string, Primitives.MacAddress)> replacedMacs = [];
        foreach (FdbEntry entry in Missing(wish.Fdb, actual.Fdb, made, static e => e.Device))
        {
            stages.Tunnels.Add(new Operation.ReplaceFdb(name, entry));
            replacedMacs.Add((entry.Device, entry.Mac));
        }

        SortedSet<(string, string)> replacedAddresses = [];
        foreach (NeighbourEntry entry in Missing(wish.Neighbours, actual.Neighbours, made, static e => e.Device))
        {
            stages.Tunnels.Add(new Operation.ReplaceNeighbour(name, entry));
            replacedAddresses.Add((entry.Device, entry.Address.ToString()));
        }

        if (!name.IsOverlay)
        {
            return;
        }

        foreach (FdbEntry entry in Missing(actual.Fdb, wish.Fdb, Empty, static e => e.Device))
        {
            if (!made.Contains(entry.Device) && wish.Links.ContainsKey(entry.Device) && !replacedMacs.Contains((entry.Device, entry.Mac)))
            {
                stages.Tunnels.Add(new Operation.DeleteFdb(name, entry));
            }
        }

        foreach (NeighbourEntry entry in Missing(actual.Neighbours, wish.Neighbours, Empty, static e => e.Device))
        {
            if (!made.Contains(entry.Device) && wish.Links.ContainsKey(entry.Device)
                && !replacedAddresses.Contains((entry.Device, entry.Address.ToString())))
            {
                stages.Tunnels.Add(new Operation.DeleteNeighbour(name, entry));
            }
        }
    }

    private static readonly SortedSet<string> Empty = [];

    /// <summary>What the left has and the right lacks; entries of devices that are made anew always count as lacking.</summary>
    private static IEnumerable<T> Missing<T>(
        ImmutableSortedSet<T> left, ImmutableSortedSet<T> right, SortedSet<string> made, Func<T, string> device)
        where T : IComparable<T>
    {
        using ImmutableSortedSet<T>.Enumerator other = right.GetEnumerator();
        bool more = other.MoveNext();
        foreach (T item in left)
        {
            while (more && other.Current.CompareTo(item) < 0)
            {
                more = other.MoveNext();
            }

            if (!more || other.Current.CompareTo(item) != 0 || made.Contains(device(item)))
            {
                yield return item;
            }
        }
    }

    private static void PlanRoutes(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, SortedSet<string> made)
    {
        // A gateway must be reachable on the link before a route may lead through it.
        foreach (RouteEntry entry in wish.Routes.OrderBy(static r => r.Gateway is null ? 0 : 1))
        {
            if (made.Contains(entry.Device) || !actual.Routes.Contains(entry))
            {
                stages.Routes.Add(new Operation.ReplaceRoute(name, entry));
            }
        }

        foreach (RouteEntry entry in actual.Routes)
        {
            bool replaced = wish.Routes.Any(
                w => w.Destination.Equals(entry.Destination) && w.Metric == entry.Metric);
            if (!wish.Routes.Contains(entry) && !replaced)
            {
                stages.Removals.Add(new Operation.DeleteRoute(name, entry));
            }
        }
    }

    /// <summary>Operations by stage: what a later one needs is made by an earlier one.</summary>
    internal sealed class Stages
    {
        public List<Operation> Namespaces { get; } = [];

        /// <summary>What stands in the way of something wanted.</summary>
        public List<Operation> Conflicts { get; } = [];

        public List<Operation> Sysctls { get; } = [];

        public List<Operation> Bridges { get; } = [];

        public List<Operation> Tunnels { get; } = [];

        public List<Operation> Vxlans { get; } = [];

        public List<Operation> Veths { get; } = [];

        public List<Operation> LinkChanges { get; } = [];

        public List<Operation> Addresses { get; } = [];

        public List<Operation> Routes { get; } = [];

        public List<Operation> Nft { get; } = [];

        public List<Operation> Removals { get; } = [];

        public List<Operation> Last { get; } = [];

        public ImmutableArray<Operation> InOrder() =>
        [
            .. Namespaces, .. Conflicts, .. Sysctls, .. Bridges, .. Vxlans, .. Veths, .. LinkChanges, .. Addresses, .. Tunnels,
            .. Routes, .. Nft, .. Removals, .. Last,
        ];
    }
}
