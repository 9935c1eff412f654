using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// The namespace ov-ingress, a router between the host, the ingress network and the sandboxes that have backends of ports of all
/// nodes. The host sends a client's packet to the address there of a node that has backends; that node's ov-ingress translates it to
/// one of them, and leads the answers back to the node they came by: conntrack keeps flows apart by that node (a zone of its original
/// direction, by the MAC of its ov-ingress), so that an answer's zone is the mark that its route is chosen by. No address of the
/// client is changed on the way. Where two nodes pass on flows of one client that differ in nothing else, one gets another source port.
/// Clients by IPv6 go the same way where the ingress network has IPv6.
/// </summary>
public static class IngressSandbox
{
    /// <summary>The endpoint's, on the ingress network.</summary>
    public const string Interface = "eth0";

    /// <summary>Its end of the pair to the host.</summary>
    private const string HostInterface = "host0";

    /// <summary>The host's end.</summary>
    internal const string HostPort = GatewayBridge.PortPrefix + "i";

    /// <summary>In a sandbox.</summary>
    private const string SandboxInterface = "ovin";

    private const string PortPrefix = "ovp";

    /// <summary>In a sandbox: what keeps flows as long as their service says.</summary>
    private const string Arrived = "arrived";

    /// <summary>Before <see cref="PublishedPorts"/>' rule, which is for the same address.</summary>
    private const int RulePriority = 7899;

    /// <summary>
    /// Behind that rule, for the same address of IPv6, which has no default route: an answer needs some route before it gets its mark.
    /// </summary>
    private const int UnmarkedRulePriority = 7901;

    /// <summary>In a sandbox: the zone of what came by ov-ingress, and the mark of answers to it.</summary>
    private const uint SandboxZone = 80;

    /// <summary>Conntrack's zones have 16 bits; 0 is that of the host's own.</summary>
    private const uint ZoneMask = 0xffff;

    /// <summary>Another seed than the host's, which has chosen this node by the same address.</summary>
    private const int HashSeed = 2;

    /// <summary>The network's address of this node's ov-ingress; null: it has none, and no port of all nodes is served here.</summary>
    internal static IPAddress? AddressOf(DataplaneInputs inputs) => Endpoint(inputs)?.Ipv4;

    /// <summary>The same for clients by IPv4 or by IPv6.</summary>
    internal static IPAddress? AddressOf(DataplaneInputs inputs, bool ipv6) =>
        Endpoint(inputs) is not { } endpoint ? null : !ipv6 ? endpoint.Ipv4 : SegmentOf(endpoint, inputs).Subnet6 is null ? null : endpoint.Ipv6;

    /// <summary>Adds it to the namespaces where it has an endpoint, with all that leads there.</summary>
    internal static void Add(
        ImmutableSortedDictionary<NamespaceName, NamespaceState>.Builder namespaces, SortedDictionary<NamespaceName, int> slots,
        DataplaneInputs inputs)
    {
        if (Endpoint(inputs) is not { Ipv4: { } own } endpoint || SubnetOf(endpoint, inputs) is not { } subnet)
        {
            return;
        }

        int mtu = namespaces[NamespaceName.Ingress].Links[Interface].Mtu;
        SortedDictionary<NamespaceName, int> backends = [];
        foreach (NamespaceName sandbox in BackendsIn(inputs))
        {
            if (slots.TryGetValue(sandbox, out int slot))
            {
                backends[sandbox] = slot;
            }
        }

        (uint Zone, RemoteEndpoint Node)[] peers =
        [
            .. inputs.Remotes.Where(r => r.Network == endpoint.Network && r.Ipv4 is not null && !r.Ipv4.Equals(own))
                .Select(r => (Zone: ZoneOf(subnet, r.Ipv4!), Node: r)).Where(static p => p.Zone > 0)
                .OrderBy(static p => p.Zone).ThenBy(static p => p.Node.Mac).DistinctBy(static p => p.Zone).DistinctBy(static p => p.Node.Mac),
        ];
        bool ipv6 = AddressOf(inputs, ipv6: true) is not null;
        namespaces[NamespaceName.Ingress] = Inside(namespaces[NamespaceName.Ingress], inputs, own, backends, peers, mtu);
        foreach ((NamespaceName sandbox, int slot) in backends)
        {
            NamespaceState state = InSandbox(namespaces[sandbox], inputs.GatewayPrefix, slot, mtu);
            namespaces[sandbox] = ipv6 ? WithIpv6(state, inputs.GatewayPrefix, slot) : state;
        }
    }

    /// <summary>The way from the host to the nodes of the ingress network.</summary>
    internal static NamespaceState InHost(NamespaceState host, DataplaneInputs inputs)
    {
        if (Endpoint(inputs) is not { } endpoint || SubnetOf(endpoint, inputs) is not { } subnet)
        {
            return host;
        }

        IPAddress router = RouterOf(inputs.GatewayPrefix);
        if (host.Sysctls.ContainsKey(GatewayBridge.Forwarding6) && SegmentOf(endpoint, inputs).Subnet6 is { } subnet6)
        {
            IPAddress router6 = GatewayBridge.Ipv6Of(router);
            host = host with
            {
                Addresses = host.Addresses.Add(new(HostPort, GatewayBridge.Ipv6Of(HostOf(inputs.GatewayPrefix)), 128))
                    .Add(GatewayBridge.LinkLocal(HostPort, HostOf(inputs.GatewayPrefix))),
                Routes = host.Routes
                    .Add(new(new(router6, 128), null, HostPort, GatewayBridge.RouteMetric))
                    .Add(new(subnet6, router6, HostPort, GatewayBridge.RouteMetric)),
            };
        }

        return host with
        {
            Links = host.Links.SetItem(HostPort, new()
            {
                Name = HostPort,
                Kind = LinkKind.Veth,
                Mtu = Desired.MtuOf(inputs.Networks.First(n => n.Id == endpoint.Network), inputs),
                Up = true,
                Peer = new(NamespaceName.Ingress, HostInterface),
            }),
            Addresses = host.Addresses.Add(new(HostPort, HostOf(inputs.GatewayPrefix), 32)),
            Routes = host.Routes
                .Add(new(new(router, 32), null, HostPort, GatewayBridge.RouteMetric))
                .Add(new(subnet, router, HostPort, GatewayBridge.RouteMetric)),
            Sysctls = host.Sysctls.SetItem("net/ipv4/ip_forward", "1").SetItem($"net/ipv4/conf/{HostPort}/route_localnet", "1"),
        };
    }

    private static LocalEndpoint? Endpoint(DataplaneInputs inputs) =>
        inputs.Endpoints.FirstOrDefault(e => e.Sandbox == NamespaceName.Ingress && e.Ipv4 is not null
            && inputs.Networks.Any(n => n.Id == e.Network && e.Segment < n.Segments.Length));

    private static OverlaySegment SegmentOf(LocalEndpoint endpoint, DataplaneInputs inputs) =>
        inputs.Networks.First(n => n.Id == endpoint.Network).Segments[endpoint.Segment];

    private static IPNetwork? SubnetOf(LocalEndpoint endpoint, DataplaneInputs inputs) => SegmentOf(endpoint, inputs).Subnet4;

    /// <summary>The last two addresses of the gateway bridge's prefix are for the two ends of the pair to the host.</summary>
    private static IPAddress HostOf(IPNetwork prefix) => GatewayBridge.At(prefix, GatewayBridge.LastSlot(prefix) + 1);

    private static IPAddress RouterOf(IPNetwork prefix) => GatewayBridge.At(prefix, GatewayBridge.LastSlot(prefix) + 2);

    private static string PortOf(int slot) => $"{PortPrefix}{slot:x}";

    private static uint ZoneOf(IPNetwork subnet, IPAddress address) => (Number(address) - Number(subnet.BaseAddress)) & ZoneMask;

    private static uint Number(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[4];
        address.TryWriteBytes(bytes, out _);
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes);
    }

    private static NamespaceState Inside(
        NamespaceState state, DataplaneInputs inputs, IPAddress own, SortedDictionary<NamespaceName, int> backends,
        (uint Zone, RemoteEndpoint Node)[] peers, int mtu)
    {
        IPAddress router = RouterOf(inputs.GatewayPrefix);
        IPAddress host = HostOf(inputs.GatewayPrefix);
        IPNetwork everywhere = new(IPAddress.Any, 0);
        var links = state.Links.ToBuilder();
        links[HostInterface] = new() { Name = HostInterface, Kind = LinkKind.Veth, Mtu = mtu, Up = true, Alias = "overlayd host" };
        List<AddressEntry> addresses = [new(HostInterface, router, 32)];
        List<RouteEntry> routes =
        [
            new(new(host, 32), null, HostInterface, GatewayBridge.RouteMetric), new(everywhere, host, HostInterface, GatewayBridge.RouteMetric),
        ];
        foreach ((NamespaceName sandbox, int slot) in backends)
        {
            string port = PortOf(slot);
            links[port] = new() { Name = port, Kind = LinkKind.Veth, Mtu = mtu, Up = true, Peer = new(sandbox, SandboxInterface) };
            addresses.Add(new(port, router, 32));
            routes.Add(new(new(GatewayBridge.At(inputs.GatewayPrefix, slot), 32), null, port, GatewayBridge.RouteMetric));
        }

        routes.AddRange(peers.Select(p => new RouteEntry(
            everywhere, p.Node.Ipv4!, Interface, GatewayBridge.RouteMetric, RouteEntry.TableOfMark(p.Zone))));
        state = state with
        {
            Links = links.ToImmutable(),
            Addresses = state.Addresses.Union(addresses),
            Routes = state.Routes.Union(routes),
            Rules = state.Rules.Union(peers.Select(static p => new RuleEntry(
                new(IPAddress.Any, 0), RouteEntry.TableOfMark(p.Zone), RulePriority, p.Zone))),
            Sysctls = state.Sysctls.SetItems(Sysctls),
            NftTable = Table(inputs, own, backends, peers),
        };
        return AddressOf(inputs, ipv6: true) is null
            ? state
            : WithIpv6(state with { Addresses = state.Addresses.Add(GatewayBridge.LinkLocal(Interface, own)) }, inputs.GatewayPrefix, backends, peers);
    }

    /// <summary>As by IPv4, link by link.</summary>
    private static NamespaceState WithIpv6(
        NamespaceState state, IPNetwork prefix, SortedDictionary<NamespaceName, int> backends, (uint Zone, RemoteEndpoint Node)[] peers)
    {
        IPAddress router = GatewayBridge.Ipv6Of(RouterOf(prefix));
        IPAddress host = GatewayBridge.Ipv6Of(HostOf(prefix));
        IPNetwork everywhere = new(IPAddress.IPv6Any, 0);
        (uint Zone, RemoteEndpoint Node)[] reached = [.. peers.Where(static p => p.Node.Ipv6 is not null)];
        return state with
        {
            Addresses = state.Addresses.Union(backends.Values.Select(PortOf).Append(HostInterface)
                .SelectMany(link => new AddressEntry[] { new(link, router, 128), GatewayBridge.LinkLocal(link, RouterOf(prefix)) })),
            Routes = state.Routes
                .Add(new(new(host, 128), null, HostInterface, GatewayBridge.RouteMetric))
                .Add(new(everywhere, host, HostInterface, GatewayBridge.RouteMetric))
                .Union(backends.Values.Select(slot => new RouteEntry(
                    new(GatewayBridge.At(prefix, slot, ipv6: true), 128), null, PortOf(slot), GatewayBridge.RouteMetric)))
                .Union(reached.Select(p => new RouteEntry(
                    everywhere, p.Node.Ipv6, Interface, GatewayBridge.RouteMetric, RouteEntry.TableOfMark(p.Zone)))),
            Rules = state.Rules.Union(reached.Select(p => new RuleEntry(everywhere, RouteEntry.TableOfMark(p.Zone), RulePriority, p.Zone))),
            Sysctls = state.Sysctls.SetItem(GatewayBridge.Forwarding6, "1"),
        };
    }

    private static NamespaceState WithIpv6(NamespaceState state, IPNetwork prefix, int slot)
    {
        IPAddress router = GatewayBridge.Ipv6Of(RouterOf(prefix));
        IPAddress own = GatewayBridge.At(prefix, slot, ipv6: true);
        IPNetwork everywhere = new(IPAddress.IPv6Any, 0);
        return state with
        {
            Addresses = state.Addresses.Add(new(SandboxInterface, own, 128)),
            Rules = state.Rules.Add(new(everywhere, RouteEntry.IngressTable, RulePriority, SandboxZone))
                .Add(new(new(own, 128), RouteEntry.IngressTable, UnmarkedRulePriority)),
            Routes = state.Routes
                .Add(new(new(router, 128), null, SandboxInterface, GatewayBridge.RouteMetric))
                .Add(new(everywhere, router, SandboxInterface, GatewayBridge.RouteMetric, RouteEntry.IngressTable)),
            Sysctls = state.Sysctls.SetItem(Planner.Ipv6Switch(SandboxInterface), "0"),
        };
    }

    /// <summary>
    /// A client's packet comes from where no route leads to it, and leaves by the interface that it came by where this node passes it on.
    /// </summary>
    private static readonly SortedDictionary<string, string> Sysctls = new(StringComparer.Ordinal)
    {
        ["net/ipv4/ip_forward"] = "1",
        ["net/ipv4/conf/all/rp_filter"] = "0",
        ["net/ipv4/conf/default/rp_filter"] = "0",
        ["net/ipv4/conf/all/send_redirects"] = "0",
        ["net/ipv4/conf/default/send_redirects"] = "0",
    };

    /// <summary>
    /// A backend is sent to by the address that it has on the gateway bridge, which a server of UDP answers from by itself; by its
    /// chains here, answers leave by the interface that what they answer came by.
    /// </summary>
    private static NamespaceState InSandbox(NamespaceState state, IPNetwork prefix, int slot, int mtu)
    {
        IPAddress router = RouterOf(prefix);
        return state with
        {
            Links = state.Links.SetItem(SandboxInterface, new()
            {
                Name = SandboxInterface,
                Kind = LinkKind.Veth,
                Mtu = mtu,
                Up = true,
                Alias = "overlayd ingress",
            }),
            Addresses = state.Addresses.Add(new(SandboxInterface, GatewayBridge.At(prefix, slot), 32)),
            Rules = state.Rules.Add(new(new(IPAddress.Any, 0), RouteEntry.IngressTable, RulePriority, SandboxZone)),
            Routes = state.Routes
                .Add(new(new(router, 32), null, SandboxInterface, GatewayBridge.RouteMetric))
                .Add(new(new(IPAddress.Any, 0), router, SandboxInterface, GatewayBridge.RouteMetric, RouteEntry.IngressTable)),
            Sysctls = state.Sysctls.SetItem($"net/ipv4/conf/{SandboxInterface}/src_valid_mark", "1"),
        };
    }

    private static string Table(
        DataplaneInputs inputs, IPAddress own, SortedDictionary<NamespaceName, int> backends, (uint Zone, RemoteEndpoint Node)[] peers)
    {
        SortedDictionary<string, FlowRules> targets = new(StringComparer.Ordinal);
        IPAddress? own6 = AddressOf(inputs, ipv6: true);
        bool[] families = own6 is null ? [false] : [false, true];
        SortedDictionary<PortProtocol, SortedDictionary<int, string>> ports = [];
        List<string> translated = [];
        foreach (MeshPort port in inputs.MeshPorts.OrderBy(static p => p.Service, StringComparer.Ordinal))
        {
            string chain = PublishedPorts.ChainOf(port.Protocol, port.Published, port.Target, port.Service);
            FlowRules target = PublishedPorts.Joined(
                families.Select(ipv6 => TargetOf(port, (inputs.GatewayPrefix, backends), chain, ipv6)).OfType<FlowRules>());
            if (target.Lines.IsEmpty)
            {
                continue;
            }

            ports.TryAdd(port.Protocol, []);
            if (ports[port.Protocol].TryAdd(port.Published, chain))
            {
                targets[chain] = target;
                translated.AddRange(!port.TranslatesSource ? [] : PublishedPorts.SourceRules(
                    port.Protocol, port.Published, port.Target,
                    families.SelectMany(ipv6 => port.Backends.Where(b => backends.ContainsKey(b.Sandbox))
                        .Select(b => GatewayBridge.At(inputs.GatewayPrefix, backends[b.Sandbox], ipv6)))));
            }
        }

        string zones = peers.Length == 0
            ? ""
            : $"\t\tiifname \"{Interface}\" ct original zone set ether saddr map {{ "
                + string.Join(", ", peers.OrderBy(static p => p.Node.Mac).Select(static p => $"{p.Node.Mac} : {p.Zone}")) + " }\n";
        string entrance6 = own6 is null
            ? "" : $"\t\tiifname != \"{PortPrefix}*\" ip6 daddr {InetText.Of(own6)} goto {PublishedPorts.Dispatch}\n";
        StringBuilder text = new($$"""
            table inet overlayd {
            	chain forward {
            		type filter hook forward priority filter; policy drop;
            		tcp flags syn / syn,rst tcp option maxseg size set rt mtu
            		ct state established,related accept
            		ct status dnat accept
            		iifname "{{HostInterface}}" oifname "{{Interface}}" accept
            	}

            	chain marks {
            		type filter hook prerouting priority mangle; policy accept;
            		ct direction reply meta mark set ct original zone
            	}

            	chain prerouting {
            		type nat hook prerouting priority {{PublishedPorts.Priority}}; policy accept;
            		iifname != "{{PortPrefix}}*" ip daddr {{own}} goto {{PublishedPorts.Dispatch}}
            {{entrance6}}	}

            	chain zones {
            		type filter hook prerouting priority raw; policy accept;
            {{zones}}	}

            """.Replace("\r", "", StringComparison.Ordinal));
        if (translated.Count > 0)
        {
            PublishedPorts.Print(text, "postrouting", ["type nat hook postrouting priority srcnat; policy accept;", .. translated]);
        }

        PublishedPorts.Print(text, PublishedPorts.Dispatch, [.. PublishedPorts.VerdictMaps(ports)]);
        PublishedPorts.Print(text, targets);
        return NftTableText.Sorted(text.Append("}\n").ToString());
    }

    /// <summary>Backends here; without one, as the others may not have heard yet, the nodes that have some.</summary>
    private static FlowRules? TargetOf(
        MeshPort port, (IPNetwork Prefix, SortedDictionary<NamespaceName, int> Slots) places, string chain, bool ipv6) =>
        PublishedPorts.ToBackends(port.Protocol, port.Scheduler, port.Backends, port.Target, port.Flows, places, chain, ipv6, HashSeed)
        ?? PublishedPorts.ToNodes(port.Protocol, port.Scheduler, port.Elsewhere, port.Published, port.Flows, chain, chain, ipv6);

    /// <summary>Chains of every backend's sandbox. The mark is set before the source is validated, too (src_valid_mark).</summary>
    internal static string AnswerChains { get; } = string.Create(
        CultureInfo.InvariantCulture,
        $$"""

        	chain answers {
        		type route hook output priority mangle; policy accept;
        		ct direction reply ct original zone {{SandboxZone}} meta mark set 0x{{SandboxZone:x8}}
        	}

        	chain arrivals {
        		type filter hook prerouting priority raw; policy accept;
        		iifname "{{SandboxInterface}}" meta mark set 0x{{SandboxZone:x8}} ct original zone set {{SandboxZone}}
        	}

        """).Replace("\r", "", StringComparison.Ordinal);

    /// <summary>Its chains, for a table of its own: conntrack there must not forget what leads answers back before others do.</summary>
    internal static string ChainsIn(NamespaceName sandbox, DataplaneInputs inputs)
    {
        List<FlowRules> kept = [];
        foreach (MeshPort port in inputs.MeshPorts.Where(p => p.Backends.Any(b => b.Sandbox == sandbox))
            .OrderBy(static p => p.Service, StringComparer.Ordinal).DistinctBy(static p => (p.Protocol, p.Target)))
        {
            string protocol = PublishedPorts.Text(port.Protocol);
            kept.Add(FlowChains.Timeouts(
                string.Create(CultureInfo.InvariantCulture, $"{Arrived}.{port.Target}"), "ip", port.Flows, [port.Protocol],
                string.Create(CultureInfo.InvariantCulture, $"iifname \"{SandboxInterface}\" ct state new {protocol} dport {port.Target} ")));
        }

        FlowRules all = PublishedPorts.Joined(kept);
        if (all.Lines.IsEmpty)
        {
            return AnswerChains;
        }

        StringBuilder text = new(AnswerChains);
        foreach (NftPart part in all.Parts.Prepend(
            NftPart.Chain(Arrived, ["type filter hook prerouting priority mangle; policy accept;", .. all.Lines])))
        {
            part.AppendTo(text);
        }

        return text.ToString();
    }

    /// <summary>The sandboxes here that have backends of ports of all nodes.</summary>
    internal static SortedSet<NamespaceName> BackendsIn(DataplaneInputs inputs) =>
        AddressOf(inputs) is null
            ? []
            :
            [
                .. inputs.MeshPorts.SelectMany(static p => p.Backends).Select(static b => b.Sandbox),
                .. inputs.PortSandboxes.Where(static s => s.OfMesh).Select(static s => s.Name),
            ];

    /// <summary>Rules of the host's table about the interface to ov-ingress; empty without it.</summary>
    internal static (string Guard, string Forward, string Postrouting) HostRules(DataplaneInputs inputs)
    {
        if (AddressOf(inputs) is null)
        {
            return ("", "", "");
        }

        // A sandbox's clients and those of the loopback come as the node, as they do everywhere else.
        string asNode = inputs.Vtep.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? $"snat ip to {inputs.Vtep}" : "masquerade";
        return (
            $"\t\tiifname \"{HostPort}\" ip daddr 127.0.0.0/8 drop\n",
            $"\t\toifname \"{HostPort}\" ct status dnat accept\n\t\tiifname \"{HostPort}\" ct state established,related accept\n"
                + $"\t\toifname \"{HostPort}\" drop\n\t\tiifname \"{HostPort}\" drop\n",
            $"\t\tip saddr 127.0.0.0/8 oifname \"{HostPort}\" {asNode}\n\t\tip saddr {inputs.GatewayPrefix} oifname \"{HostPort}\" {asNode}\n");
    }
}
