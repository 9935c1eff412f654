using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// What this host's kernel should hold, as a function of intent and presence alone. A network appears with its first
/// local endpoint and goes with its last: cost grows with what is local.
/// </summary>
public static class Desired
{
    private const int ShortId = 10;

    /// <summary>The namespace of a network on every node.</summary>
    public static NamespaceName NamespaceOf(NetworkId network) => new($"ov-{network.ToString()[..ShortId]}");

    public static string PortOf(EndpointId endpoint) => $"ve{endpoint.ToString()[..ShortId]}";

    public static string BridgeOf(int segment) => $"br{segment}";

    public static string VxlanOf(int segment) => $"vxlan{segment}";

    public static HostState For(DataplaneInputs inputs)
    {
        ImmutableSortedDictionary<NamespaceName, NamespaceState>.Builder namespaces =
            ImmutableSortedDictionary.CreateBuilder<NamespaceName, NamespaceState>();
        SortedDictionary<NetworkId, OverlayNetwork> networks = [];
        foreach (OverlayNetwork network in inputs.Networks)
        {
            networks[network.Id] = network;
        }

        LocalEndpoint[] endpoints = Placeable(inputs, networks);
        ILookup<NetworkId, LocalEndpoint> locals = endpoints.ToLookup(static e => e.Network);
        ILookup<NetworkId, RemoteEndpoint> remotes = inputs.Remotes.ToLookup(static r => r.Network);
        foreach (OverlayNetwork network in networks.Values.Where(n => locals[n.Id].Any()))
        {
            namespaces[NamespaceOf(network.Id)] = InOverlay(network, [.. locals[network.Id]], [.. remotes[network.Id]], inputs);
        }

        SortedDictionary<NamespaceName, int> slots = [];
        foreach (LocalEndpoint endpoint in endpoints)
        {
            NamespaceState before = namespaces.GetValueOrDefault(endpoint.Sandbox, Loopback);
            namespaces[endpoint.Sandbox] = InSandbox(before, networks[endpoint.Network], endpoint, inputs);
            if (endpoint.GatewaySlot > 0)
            {
                slots.TryAdd(endpoint.Sandbox, endpoint.GatewaySlot);
            }
        }

        foreach ((NamespaceName sandbox, int slot) in slots)
        {
            namespaces[sandbox] = GatewayBridge.InSandbox(namespaces[sandbox], inputs, slot);
        }

        foreach (NamespaceName sandbox in inputs.Ports.SelectMany(static p => p.Backends).Select(static b => b.Sandbox)
            .Concat(inputs.PortSandboxes.Where(static s => s.OfHost).Select(static s => s.Name)).Distinct())
        {
            if (slots.TryGetValue(sandbox, out int slot))
            {
                namespaces[sandbox] = PublishedPorts.InSandbox(namespaces[sandbox], inputs.GatewayPrefix, slot, PublishedPorts.HaveIpv6(inputs));
            }
        }

        AddServices(namespaces, endpoints, inputs);
        IngressSandbox.Add(namespaces, slots, inputs);
        foreach (NamespaceName left in inputs.LeftSandboxes.Where(n => !n.IsOverlay && !namespaces.ContainsKey(n)))
        {
            namespaces[left] = NamespaceState.Empty;
        }

        namespaces[NamespaceName.Host] = GatewayBridge.InHost(inputs, slots);
        return new() { Namespaces = namespaces.ToImmutable() };
    }

    /// <summary>Each sandbox balances the services of its networks.</summary>
    private static void AddServices(
        ImmutableSortedDictionary<NamespaceName, NamespaceState>.Builder namespaces, LocalEndpoint[] endpoints, DataplaneInputs inputs)
    {
        ILookup<NetworkId, VirtualService> services = inputs.Services.ToLookup(static s => s.Network);
        SortedSet<NamespaceName> ingress = IngressSandbox.BackendsIn(inputs);
        foreach (IGrouping<NamespaceName, LocalEndpoint> sandbox in endpoints.GroupBy(static e => e.Sandbox))
        {
            IEnumerable<VirtualService> its = sandbox.Select(static e => e.Network).Distinct().SelectMany(n => services[n]);
            bool isIngress = ingress.Contains(sandbox.Key) && sandbox.Any(static e => e.GatewaySlot > 0);
            VirtualService[] own = [.. its.OrderBy(static s => s.Name, StringComparer.Ordinal).DistinctBy(static s => s.Name)];
            string chains = isIngress ? IngressSandbox.ChainsIn(sandbox.Key, inputs) : "";
            NamespaceState state = namespaces[sandbox.Key];
            if (inputs.LoadBalancer == LoadBalancer.Ipvs && own.Length > 0)
            {
                SortedSet<IPAddress> addresses = new(
                    sandbox.SelectMany(static e => new[] { e.Ipv4, e.Ipv6 }).OfType<IPAddress>(), AddressOrder.Instance);
                MarkedServices marks = IpvsServices.Of(own, addresses);
                state = state with
                {
                    Ipvs = marks.Services,
                    IpvsTimeouts = IpvsServices.TimeoutsOf(own),
                    Sysctls = state.Sysctls.SetItems(IpvsServices.Sysctls.Select(static path => KeyValuePair.Create(path, "1"))),
                    NftTable = ServiceTable.Of(own, sandbox.First().Id.ToString(), chains, marks),
                };
            }
            else
            {
                state = state with { NftTable = ServiceTable.Of(own, sandbox.First().Id.ToString(), chains) };
            }

            namespaces[sandbox.Key] = state;
        }
    }

    /// <summary>Every sysctl that a wish names, for the observation to read.</summary>
    public static ImmutableSortedSet<string> SysctlPaths(this HostState state) =>
        state.Namespaces.Values.SelectMany(static n => n.Sysctls.Keys).ToImmutableSortedSet(StringComparer.Ordinal);

    /// <summary>
    /// The endpoints of known segments, in the order of their ids. An interface belongs to the first that claims it:
    /// two pairs of veth cannot end there.
    /// </summary>
    private static LocalEndpoint[] Placeable(DataplaneInputs inputs, SortedDictionary<NetworkId, OverlayNetwork> networks)
    {
        SortedSet<(NamespaceName, string)> taken = [];
        return
        [
            .. inputs.Endpoints.OrderBy(static e => e.Id).Where(e => networks.TryGetValue(e.Network, out OverlayNetwork? network)
                && e.Segment < network.Segments.Length && taken.Add((e.Sandbox, e.Interface))),
        ];
    }

    private static NamespaceState Loopback => new()
    {
        Links = NamespaceState.Empty.Links.Add("lo", new() { Name = "lo", Kind = LinkKind.Loopback, Up = true }),
    };

    internal static int MtuOf(OverlayNetwork network, DataplaneInputs inputs) =>
        network.Mtu > 0 ? network.Mtu : OverlayMtu.For(inputs.UnderlayMtu, inputs.Vtep);

    private static NamespaceState InOverlay(
        OverlayNetwork network, LocalEndpoint[] locals, RemoteEndpoint[] remotes, DataplaneInputs inputs)
    {
        int mtu = MtuOf(network, inputs);
        ImmutableSortedDictionary<string, LinkState>.Builder links = Loopback.Links.ToBuilder();
        ImmutableSortedSet<AddressEntry>.Builder addresses = ImmutableSortedSet.CreateBuilder<AddressEntry>();
        // Every segment, with or without a local endpoint: the gateway here routes to all of them.
        for (int segment = 0; segment < network.Segments.Length; segment++)
        {
            AddSegment(links, addresses, network, segment, mtu, inputs);
        }

        foreach (LocalEndpoint endpoint in locals)
        {
            string port = PortOf(endpoint.Id);
            links[port] = new()
            {
                Name = port,
                Kind = LinkKind.Veth,
                Mtu = mtu,
                Up = true,
                Master = BridgeOf(endpoint.Segment),
                Peer = new(endpoint.Sandbox, endpoint.Interface),
            };
        }

        (ImmutableSortedSet<FdbEntry> fdb, ImmutableSortedSet<NeighbourEntry> neighbours) =
            Reach(remotes.Where(r => r.Segment < network.Segments.Length && !r.Vtep.Equals(inputs.Vtep)), network, locals);
        return new()
        {
            Links = links.ToImmutable(),
            Addresses = addresses.ToImmutable(),
            Fdb = fdb,
            Neighbours = neighbours,
            Sysctls = OverlaySysctls,
        };
    }

    /// <summary>The same on all nodes: a sandbox that moves finds its gateway where it knew it.</summary>
    private static MacAddress BridgeMac(OverlayNetwork network, int segment) => StableMac.Of($"{network.Id}/{segment}");

    private static ImmutableSortedDictionary<string, string> OverlaySysctls { get; } =
        NamespaceState.Empty.Sysctls
            .Add("net/bridge/bridge-nf-call-arptables", "0")
            .Add("net/bridge/bridge-nf-call-ip6tables", "0")
            .Add("net/bridge/bridge-nf-call-iptables", "0")
            .Add("net/ipv4/ip_forward", "1")
            .Add("net/ipv6/conf/all/forwarding", "1");

    private static void AddSegment(
        ImmutableSortedDictionary<string, LinkState>.Builder links, ImmutableSortedSet<AddressEntry>.Builder addresses,
        OverlayNetwork network, int segment, int mtu, DataplaneInputs inputs)
    {
        OverlaySegment description = network.Segments[segment];
        string bridge = BridgeOf(segment);
        string vxlan = VxlanOf(segment);
        links[bridge] = new()
        {
            Name = bridge,
            Kind = LinkKind.Bridge,
            Mac = BridgeMac(network, segment),
            Mtu = mtu,
            Up = true,
        };
        links[vxlan] = new()
        {
            Name = vxlan,
            Kind = LinkKind.Vxlan,
            Mtu = mtu,
            Up = true,
            Master = bridge,
            Vxlan = new(description.Vni, inputs.Vtep, inputs.VxlanPort, Learning: false, Proxy: true, L2Miss: true, L3Miss: true),
        };
        if (description is { Gateway4: { } gateway4, Subnet4: { } subnet4 })
        {
            addresses.Add(new(bridge, gateway4, subnet4.PrefixLength));
        }

        if (description is { Gateway6: { } gateway6, Subnet6: { } subnet6 })
        {
            addresses.Add(new(bridge, gateway6, subnet6.PrefixLength));
        }
    }

    /// <summary>
    /// One MAC has one VTEP and one address one MAC. Of contradicting claims the first in order counts, but before all
    /// what is here: the network's gateway, which every node answers for itself, and this node's endpoints.
    /// </summary>
    private static (ImmutableSortedSet<FdbEntry> Fdb, ImmutableSortedSet<NeighbourEntry> Neighbours) Reach(
        IEnumerable<RemoteEndpoint> remotes, OverlayNetwork network, LocalEndpoint[] locals)
    {
        ImmutableSortedSet<FdbEntry>.Builder fdb = ImmutableSortedSet.CreateBuilder<FdbEntry>();
        ImmutableSortedSet<NeighbourEntry>.Builder neighbours = ImmutableSortedSet.CreateBuilder<NeighbourEntry>();
        SortedSet<(int Segment, MacAddress Mac)> macs =
        [
            .. locals.Select(static e => (e.Segment, e.Mac)),
            .. network.Segments.Select((_, n) => (n, BridgeMac(network, n))),
        ];
        SortedSet<IPAddress> taken = new(AddressOrder.Instance);
        taken.UnionWith(locals.SelectMany(static e => new[] { e.Ipv4, e.Ipv6 }).OfType<IPAddress>());
        taken.UnionWith(network.Segments.SelectMany(static s => new[] { s.Gateway4, s.Gateway6 }).OfType<IPAddress>());
        foreach (RemoteEndpoint remote in remotes)
        {
            string device = VxlanOf(remote.Segment);
            if (!macs.Add((remote.Segment, remote.Mac)))
            {
                continue;
            }

            fdb.Add(new(device, remote.Mac, remote.Vtep));
            foreach (IPAddress address in new[] { remote.Ipv4, remote.Ipv6 }.OfType<IPAddress>())
            {
                if (taken.Add(address))
                {
                    neighbours.Add(new(device, address, remote.Mac));
                }
            }
        }

        return (fdb.ToImmutable(), neighbours.ToImmutable());
    }

    private static NamespaceState InSandbox(
        NamespaceState before, OverlayNetwork network, LocalEndpoint endpoint, DataplaneInputs inputs)
    {
        OverlaySegment own = network.Segments[endpoint.Segment];
        ImmutableSortedSet<AddressEntry> addresses = before.Addresses;
        ImmutableSortedDictionary<string, string> sysctls = before.Sysctls;
        if (endpoint.Ipv4 is { } ipv4 && own.Subnet4 is { } subnet4)
        {
            addresses = addresses.Add(new(endpoint.Interface, ipv4, subnet4.PrefixLength));
        }

        if (endpoint.Ipv6 is { } ipv6 && own.Subnet6 is { } subnet6)
        {
            addresses = addresses.Add(new(endpoint.Interface, ipv6, subnet6.PrefixLength));
            sysctls = sysctls.SetItem("net/ipv6/conf/all/disable_ipv6", "0").SetItem("net/ipv6/conf/default/disable_ipv6", "0");
        }

        return before with
        {
            Links = before.Links.SetItem(endpoint.Interface, new()
            {
                Name = endpoint.Interface,
                Kind = LinkKind.Veth,
                Mac = endpoint.Mac,
                Mtu = MtuOf(network, inputs),
                Up = true,
                Alias = $"overlayd endpoint {endpoint.Id}",
            }),
            Addresses = addresses,
            // Where two interfaces lead to the same segment, the first does.
            Routes = before.Routes.Union(
                OtherSegments(network, endpoint, own).Where(r => !before.Routes.Any(r.HasKeyOf))),
            Sysctls = sysctls,
        };
    }

    private static IEnumerable<RouteEntry> OtherSegments(OverlayNetwork network, LocalEndpoint endpoint, OverlaySegment own)
    {
        for (int i = 0; i < network.Segments.Length; i++)
        {
            OverlaySegment other = network.Segments[i];
            if (i == endpoint.Segment)
            {
                continue;
            }

            if (other.Subnet4 is { } subnet4 && own.Gateway4 is { } gateway4 && endpoint.Ipv4 is not null)
            {
                yield return new(subnet4, gateway4, endpoint.Interface, GatewayBridge.RouteMetric);
            }

            if (other.Subnet6 is { } subnet6 && own.Gateway6 is { } gateway6 && endpoint.Ipv6 is not null)
            {
                yield return new(subnet6, gateway6, endpoint.Interface, GatewayBridge.RouteMetric);
            }
        }
    }
}
