using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// Compares the wish with the observation. It knows which objects are ours: everything in ov-… namespaces; in the
/// host's the bridge ovgw0, its ports ovg… and the table inet overlayd; in sandboxes the links whose alias begins with
/// "overlayd ", their addresses, the routes and rules of our protocol, the table of services and the services of IPVS. A stranger's object is never touched.
/// </summary>
public static class Planner
{
    /// <summary>What must be observed for a plan: all that is wanted, and all that is ours already.</summary>
    public static ImmutableArray<NamespaceName> NamespacesToObserve(HostState desired, IEnumerable<NamespaceName> overlays) =>
        [.. desired.Namespaces.Keys.Union(overlays).Order()];

    public static Plan Plan(HostState desired, HostState observed)
    {
        Stages stages = new();
        ImmutableSortedSet<NamespaceName> unreachable =
        [
            .. desired.Namespaces.Keys.Where(n => !n.IsHost && !n.IsOverlay && !observed.Namespaces.ContainsKey(n)),
        ];
        VethPairs pairs = new(desired, observed, unreachable);
        foreach ((NamespaceName name, NamespaceState wish) in desired.Namespaces)
        {
            if (unreachable.Contains(name))
            {
                continue;
            }

            if (!observed.Namespaces.TryGetValue(name, out NamespaceState? actual))
            {
                actual = HostStateTransitions.NewNamespace;
                if (name.IsOverlay)
                {
                    stages.Namespaces.Add(new Operation.CreateNamespace(name));
                }
            }

            PlanNamespace(stages, name, wish, actual, new LinkPlanner(stages, pairs, desired).Plan(name, wish, actual));
        }

        RemoveNamespaces(stages, desired, observed);
        return new(stages.InOrder(), unreachable);
    }

    /// <summary>Unwanted networks go last, but for those whose VNI is wanted by another: the kernel has it only once.</summary>
    private static void RemoveNamespaces(Stages stages, HostState desired, HostState observed)
    {
        SortedSet<(Vni Vni, int Port)> wanted =
        [
            .. desired.Namespaces.Values.SelectMany(static n => n.Links.Values)
                .Select(static l => l.Vxlan).OfType<VxlanAttributes>().Select(static v => (v.Vni, v.Port)),
        ];
        foreach ((NamespaceName name, NamespaceState state) in observed.Namespaces)
        {
            if (name.IsOverlay && !desired.Namespaces.ContainsKey(name))
            {
                bool conflicts = state.Links.Values.Any(l => l.Vxlan is { } v && wanted.Contains((v.Vni, v.Port)));
                (conflicts ? stages.Conflicts : stages.LastNamespaces).Add(new Operation.DeleteNamespace(name));
            }
        }
    }

    private static void PlanNamespace(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, LinkFates links)
    {
        foreach ((string path, string value) in wish.Sysctls)
        {
            string? device = DeviceOf(path);
            bool made = device is not null && links.Made.Contains(device);
            if (made || !actual.Sysctls.TryGetValue(path, out string? present) || present != value)
            {
                List<Operation> stage = device is null ? stages.Sysctls
                    : path == Ipv6Switch(device) ? stages.DeviceFamilies
                    : stages.DeviceSysctls;
                stage.Add(new Operation.SetSysctl(name, path, value));
            }
        }

        SortedSet<string> renumbered = PlanAddresses(stages, name, wish, actual, links);
        TunnelPlanner.Plan(stages, name, wish, actual, links);
        PlanRoutes(stages, name, wish, actual, links, renumbered);
        stages.Routes.AddRange(wish.Rules.Except(actual.Rules).Select(rule => new Operation.AddRule(name, rule)));
        if (!name.IsHost)
        {
            stages.Removals.AddRange(actual.Rules.Except(wish.Rules).Select(rule => new Operation.DeleteRule(name, rule)));
        }

        IpvsPlanner.Plan(stages, name, wish, actual);
        PlanTable(stages, name, wish.NftTable, actual.NftTable, actual.Addresses);
    }

    private static void PlanTable(
        Stages stages, NamespaceName name, string? wish, string? actual, ImmutableSortedSet<AddressEntry> addresses)
    {
        if (wish is not null && wish != actual)
        {
            stages.Nft.Add(new Operation.ReplaceNftTable(name, wish, actual));
        }
        else if (wish is null && actual is not null && (name.IsHost || name.IsOverlay || ServiceTable.IsOne(actual)))
        {
            stages.Nft.Add(new Operation.DeleteNftTable(name));
        }

        if (wish == actual)
        {
            return;
        }

        if (!name.IsHost && !name.IsOverlay)
        {
            if (StaleFlows(ServiceTable.Read(wish), ServiceTable.Read(actual), AddressOrder.Instance) is { IsEmpty: false } stale)
            {
                stages.Flows.Add(new Operation.ForgetFlows(name, stale));
            }
        }
        else if (StaleFlows(PublishedPorts.Read(wish), PublishedPorts.Read(actual), StringComparer.Ordinal) is { IsEmpty: false } ports)
        {
            stages.Flows.Add(new Operation.ForgetPortFlows(
                name, ports, addresses.Select(static a => a.Address).Append(IPAddress.Loopback).ToImmutableSortedSet(AddressOrder.Instance)));
        }
    }

    /// <summary>The interface whose own sysctl that is; null: none's.</summary>
    internal static string? DeviceOf(string path) =>
        path.Split('/') is ["net", "ipv4" or "ipv6", "conf", not ("all" or "default") and var device, _] ? device : null;

    /// <summary>"0" where the interface may have addresses of IPv6, which container runtimes turn off.</summary>
    internal static string Ipv6Switch(string device) => $"net/ipv6/conf/{device}/disable_ipv6";

    /// <summary>
    /// The virtual addresses or published ports that lose backends, or are new where packets may have passed untranslated, each
    /// with the backends that it has now.
    /// </summary>
    private static ImmutableSortedDictionary<TKey, ImmutableSortedSet<TBackend>> StaleFlows<TKey, TBackend>(
        SortedDictionary<TKey, SortedSet<TBackend>> after, SortedDictionary<TKey, SortedSet<TBackend>> before, IComparer<TBackend> order)
        where TKey : notnull
    {
        var stale = ImmutableSortedDictionary.CreateBuilder<TKey, ImmutableSortedSet<TBackend>>(after.Comparer);
        foreach (TKey key in before.Keys.Union(after.Keys))
        {
            SortedSet<TBackend> kept = after.GetValueOrDefault(key) ?? new(order);
            if (!before.TryGetValue(key, out SortedSet<TBackend>? had) || !kept.IsSupersetOf(had))
            {
                stale[key] = kept.ToImmutableSortedSet(order);
            }
        }

        return stale.ToImmutable();
    }

    /// <summary>
    /// Answers with the devices that lose an address. Those go first, and the device's others are given again: with its
    /// first address of a subnet the kernel takes the later ones of that subnet (promote_secondaries is 0), and with the
    /// last one the routes.
    /// </summary>
    private static SortedSet<string> PlanAddresses(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, LinkFates links)
    {
        SortedSet<string> renumbered = new(StringComparer.Ordinal);
        foreach (AddressEntry entry in actual.Addresses)
        {
            bool ours = wish.Links.TryGetValue(entry.Device, out LinkState? link) && link.Kind != LinkKind.Loopback;
            if (ours && links.Stays(entry.Device) && !entry.Address.IsIPv6LinkLocal && !wish.Addresses.Contains(entry))
            {
                stages.Conflicts.Add(new Operation.DeleteAddress(name, entry));
                renumbered.Add(entry.Device);
            }
        }

        foreach (AddressEntry entry in wish.Addresses)
        {
            bool missing = links.Made.Contains(entry.Device) || renumbered.Contains(entry.Device)
                || !actual.Addresses.Contains(entry);
            if (missing && !links.Absent.Contains(entry.Device))
            {
                stages.Addresses.Add(new Operation.ReplaceAddress(name, entry));
            }
        }

        return renumbered;
    }

    private static void PlanRoutes(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, LinkFates links,
        SortedSet<string> renumbered)
    {
        // A gateway must be reachable on the link before a route may lead through it.
        foreach (RouteEntry entry in wish.Routes.OrderBy(static r => r.Gateway is null ? 0 : 1))
        {
            bool missing = links.Made.Contains(entry.Device) || renumbered.Contains(entry.Device)
                || !actual.Routes.Contains(entry);
            if (missing && !links.Absent.Contains(entry.Device))
            {
                stages.Routes.Add(new Operation.ReplaceRoute(name, entry));
            }
        }

        foreach (RouteEntry entry in actual.Routes)
        {
            // A route goes with its link; a route of the same key was replaced above.
            bool stays = links.Stays(entry.Device) && !wish.Routes.Contains(entry) && !wish.Routes.Any(entry.HasKeyOf);
            if (stays)
            {
                stages.Removals.Add(new Operation.DeleteRoute(name, entry));
            }
        }
    }
}
