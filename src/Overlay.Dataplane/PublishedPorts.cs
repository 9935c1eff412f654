using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// Published ports of this host in its table of nftables: the first packet of a flow to one of the host's own addresses is
/// translated to a sandbox's address on the gateway bridge, and nothing else of it: the backend sees the client itself. In the
/// sandbox a rule leads what comes from that address back across the bridge, whatever default route it has. IPv6 goes the same way,
/// between other addresses; but what is sent to ::1 cannot leave the loopback, and what comes from an address of one link cannot leave
/// that: clients there are refused.
/// </summary>
internal static class PublishedPorts
{
    /// <summary>As <see cref="ServiceTable"/>'s.</summary>
    internal const int Priority = -85;

    /// <summary>Before the rules of the main and the default table.</summary>
    private const int RulePriority = 7900;

    internal const string Dispatch = "published";

    /// <summary>Those that sandboxes of this host may use, too.</summary>
    private const string Mesh = "mesh";

    /// <summary>Chains for the host's table, each with a blank line before it; empty where no port leads anywhere.</summary>
    /// <param name="slots">Places of sandboxes on the gateway bridge; the ports of others lead nowhere.</param>
    public static string Chains(DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots)
    {
        SortedDictionary<string, FlowRules> targets = new(StringComparer.Ordinal);
        List<Entrance> entrances = [];
        // Of several with the same words the first by the service's name has them.
        foreach (HostPort port in inputs.Ports.OrderBy(static p => p.Service, StringComparer.Ordinal))
        {
            string chain = ChainOf(port.Protocol, port.Published, port.Target, port.Service);
            FlowRules target = Joined(TargetsOf(port, inputs, slots, chain));
            if (target.Lines.IsEmpty)
            {
                continue;
            }

            string match = (port.Interface.Length == 0 ? "" : $"iifname \"{port.Interface}\" ")
                + (port.Address is null ? "" : $"{Word(IsIpv6(port.Address))} daddr {InetText.Of(port.Address)} ");
            Entrance entrance = new(match, port.Protocol, port.Published, chain, port.IsMesh)
            {
                Order = match.Length == 0 ? 3 : port.Address is null ? 2 : port.Interface.Length == 0 ? 1 : 0,
            };
            if (!entrances.Exists(e => e.Match == match && e.Protocol == port.Protocol && e.Published == port.Published))
            {
                entrances.Add(entrance);
                targets[chain] = target;
            }
        }

        return targets.Count == 0 ? "" : Print(targets, entrances);
    }

    internal static string ChainOf(PortProtocol protocol, int published, int target, string service) =>
        string.Create(CultureInfo.InvariantCulture, $"{Text(protocol)}-{published}-{target}-{service}");

    /// <summary>Those of one chain: each family's, one after the other.</summary>
    internal static FlowRules Joined(IEnumerable<FlowRules> families)
    {
        FlowRules[] all = [.. families];
        return new([.. all.SelectMany(static f => f.Lines)], [.. all.SelectMany(static f => f.Parts)]);
    }

    /// <summary>The rule that translates a flow to an address by that choice, and a port.</summary>
    private static string Translation(PortProtocol protocol, string choice, int port, bool ipv6) => string.Create(
        CultureInfo.InvariantCulture,
        $"meta l4proto {Text(protocol)} dnat {Word(ipv6)} to {(ipv6 && !choice.Contains(' ', StringComparison.Ordinal) ? $"[{choice}]" : choice)}:{port}");

    /// <summary>The rules that have a backend's answers come back by where the packets left, and hide the client from it.</summary>
    /// <param name="backends">Addresses of this node's on the gateway bridge.</param>
    internal static IEnumerable<string> SourceRules(PortProtocol protocol, int published, int target, IEnumerable<IPAddress> backends) =>
        backends.Distinct().Order(AddressOrder.Instance).Select(address => string.Create(
            CultureInfo.InvariantCulture,
            $"{Word(IsIpv6(address))} daddr {InetText.Of(address)} {Text(protocol)} dport {target} ct original proto-dst {published} masquerade"));

    /// <summary>Those of the host's own ports, each with its line end.</summary>
    internal static string SourceRules(DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots) => string.Concat(inputs.Ports
        .Where(static p => p.TranslatesSource && !p.IsMesh).SelectMany(p => SourceRules(
            p.Protocol, p.Published, p.Target,
            FamiliesOf(p.Families).SelectMany(ipv6 => p.Backends.Where(b => slots.ContainsKey(b.Sandbox))
                .Select(b => GatewayBridge.At(inputs.GatewayPrefix, slots[b.Sandbox], ipv6)))))
        .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(static rule => $"\t\t{rule}\n"));

    /// <summary>To nodes, each for all of its backends: those that have more get more, also where backends take turns.</summary>
    /// <returns>Null: none has an address of that family.</returns>
    internal static FlowRules? ToNodes(
        PortProtocol protocol, Scheduler scheduler, IEnumerable<MeshNode> nodes, int published, FlowPolicy flows, string chain, string turn, bool ipv6)
    {
        (IPAddress Address, long Weight)[] chosen =
        [
            .. nodes.Where(n => !ipv6 || n.Ipv6 is not null).Select(n => (Address: ipv6 ? n.Ipv6! : n.Address, (long)n.Weight))
                .OrderBy(static n => n.Address, AddressOrder.Instance).DistinctBy(static n => n.Address),
        ];
        return chosen.Length == 0
            ? null
            : FlowChains.Of(
                chain, new(scheduler is Scheduler.Sh or Scheduler.Mh ? Scheduler.Sh : Scheduler.Wrr, chosen, turn), flows, [protocol], isShared: true,
                choice => Translation(protocol, choice, published, ipv6));
    }

    /// <summary>To sandboxes here, by their addresses on the gateway bridge.</summary>
    /// <returns>Null: none of the backends is there.</returns>
    /// <param name="seed">As <see cref="BackendChoice"/>'s.</param>
    internal static FlowRules? ToBackends(
        PortProtocol protocol, Scheduler scheduler, IEnumerable<PortBackend> backends, int target, FlowPolicy flows,
        (IPNetwork Prefix, SortedDictionary<NamespaceName, int> Slots) places, string chain, bool ipv6, int seed = 1)
    {
        (IPAddress Address, long Weight)[] chosen =
        [
            .. backends.Where(b => places.Slots.ContainsKey(b.Sandbox)).DistinctBy(static b => b.Sandbox)
                .Select(b => (Address: GatewayBridge.At(places.Prefix, places.Slots[b.Sandbox], ipv6), (long)b.Weight))
                .OrderBy(static b => b.Address, AddressOrder.Instance),
        ];
        return chosen.Length == 0
            ? null
            : FlowChains.Of(
                chain, new(scheduler, chosen, chain, seed), flows, [protocol], isShared: true, choice => Translation(protocol, choice, target, ipv6));
    }

    /// <summary>Whether it is IPv6, for each of them.</summary>
    private static IEnumerable<bool> FamiliesOf(IpFamilies families) =>
        new[] { IpFamilies.Ipv4, IpFamilies.Ipv6 }.Where(f => families.HasFlag(f)).Select(static f => f == IpFamilies.Ipv6);

    private static bool IsIpv6(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;

    private static string Word(bool ipv6) => ipv6 ? "ip6" : "ip";

    private static IEnumerable<FlowRules> TargetsOf(
        HostPort port, DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots, string chain) =>
        FamiliesOf(port.Families).Select(ipv6 =>
            !port.IsMesh
                ? ToBackends(port.Protocol, port.Scheduler, port.Backends, port.Target, port.Flows, (inputs.GatewayPrefix, slots), chain, ipv6)
            : IngressSandbox.AddressOf(inputs, ipv6) is null ? null
            : ToNodes(port.Protocol, port.Scheduler, port.Nodes, port.Published, port.Flows, chain, $"{chain} {inputs.Vtep}", ipv6))
            .OfType<FlowRules>();

    /// <summary>Which packets to the host's own addresses a chain is for.</summary>
    /// <param name="Match">Where they come in; empty: anywhere.</param>
    private sealed record Entrance(string Match, PortProtocol Protocol, int Published, string Chain, bool IsMesh)
    {
        /// <summary>What says more comes first.</summary>
        public required int Order { get; init; }
    }

    /// <summary>What each published port leads to, by protocol and port; of what is not readable, nothing.</summary>
    public static SortedDictionary<(byte Protocol, int Port), SortedSet<string>> Read(string? table)
    {
        SortedDictionary<(byte, int), SortedSet<string>> read = [];
        SortedDictionary<string, List<(byte, int)>> ways = new(StringComparer.Ordinal);
        string chain = "";
        foreach (string line in table?.Split('\n') ?? [])
        {
            if (line.StartsWith("\tchain ", StringComparison.Ordinal))
            {
                chain = line[7..].TrimEnd(' ', '{');
            }
            else if (chain == Dispatch && line.IndexOf(" dport ", StringComparison.Ordinal) is var at and > 0)
            {
                byte protocol = NumberOf(ProtocolOf(line[..at].TrimStart('\t').Split(' ')[^1]));
                string entries = line[(at + 7)..].Replace("vmap {", "", StringComparison.Ordinal).Replace("}", "", StringComparison.Ordinal);
                foreach (string[] words in entries.Split(',').Select(static e => e.Replace(":", "", StringComparison.Ordinal)
                    .Split(' ', StringSplitOptions.RemoveEmptyEntries)))
                {
                    if (words is [var number, "goto", var to] && int.TryParse(number, CultureInfo.InvariantCulture, out int port))
                    {
                        ways.TryAdd(to, []);
                        ways[to].Add((protocol, port));
                        read.TryAdd((protocol, port), new(StringComparer.Ordinal));
                    }
                }
            }
            else if (ways.TryGetValue(FlowChains.OwnerOf(chain), out List<(byte, int)>? keys) && line.LastIndexOf(':') is var colon and > 0
                && ushort.TryParse(line[(colon + 1)..], CultureInfo.InvariantCulture, out ushort to))
            {
                foreach (string word in line[..colon].Split(' ', ',', '\t', '[', ']').Where(IsAddress))
                {
                    keys.ForEach(key => read[key].Add(new IPEndPoint(IPAddress.Parse(word), to).ToString()));
                }
            }
        }

        return read;
    }

    /// <summary>A number alone would be one, too.</summary>
    private static bool IsAddress(string word) => word.AsSpan().ContainsAny('.', ':') && IPAddress.TryParse(word, out _);

    /// <summary>Whether clients come to this host by IPv6.</summary>
    internal static bool HaveIpv6(DataplaneInputs inputs) =>
        inputs.HasIpv6Ports || inputs.Ports.Any(static p => p.Families.HasFlag(IpFamilies.Ipv6));

    /// <summary>Answers leave a backend's sandbox by the bridge.</summary>
    public static NamespaceState InSandbox(NamespaceState state, IPNetwork prefix, int slot, bool ipv6)
    {
        IPAddress bridge = GatewayBridge.AddressOf(prefix);
        state = state with
        {
            Rules = state.Rules.Add(new(new(GatewayBridge.At(prefix, slot), 32), RouteEntry.OwnTable, RulePriority)),
            Routes = state.Routes.Add(WayBack(IPAddress.Any, bridge)),
        };
        if (!ipv6)
        {
            return state;
        }

        IPAddress own6 = GatewayBridge.At(prefix, slot, ipv6: true);
        IPAddress bridge6 = GatewayBridge.Ipv6Of(bridge);
        return state with
        {
            Addresses = state.Addresses.Add(new(GatewayBridge.SandboxInterface, own6, 128)),
            Rules = state.Rules.Add(new(new(own6, 128), RouteEntry.OwnTable, RulePriority)),
            Routes = state.Routes
                .Add(new(new(bridge6, 128), null, GatewayBridge.SandboxInterface, GatewayBridge.RouteMetric)).Add(WayBack(IPAddress.IPv6Any, bridge6)),
            Sysctls = state.Sysctls.SetItem(Planner.Ipv6Switch(GatewayBridge.SandboxInterface), "0"),
        };
    }

    private static RouteEntry WayBack(IPAddress everywhere, IPAddress bridge) => new(
        new(everywhere, 0), bridge, GatewayBridge.SandboxInterface, GatewayBridge.RouteMetric, RouteEntry.OwnTable);

    private static string Print(SortedDictionary<string, FlowRules> targets, List<Entrance> entrances)
    {
        StringBuilder text = new();
        Entrance[] mesh = [.. entrances.Where(static e => e.IsMesh)];
        Print(text, "output", $"type nat hook output priority {Priority}; policy accept;", $"fib daddr type local goto {Dispatch}");
        // What sandboxes send to backends here is left alone: where br_netfilter sees it, it would be bridged to a port that is
        // isolated from theirs.
        string[] ofSandboxes = mesh.Length == 0 ? [] : [$"iifname \"{GatewayBridge.Name}\" meta nfproto ipv4 fib daddr type local goto {Mesh}"];
        Print(
            text, "prerouting",
            [
                $"type nat hook prerouting priority {Priority}; policy accept;",
                $"iifname != \"{GatewayBridge.Name}\" fib daddr type local goto {Dispatch}",
                .. ofSandboxes,
            ]);
        bool ipv6 = targets.Values.SelectMany(static t => t.Parts.SelectMany(static p => p.Lines).Concat(t.Lines))
            .Any(static rule => rule.Contains(" ip6 ", StringComparison.Ordinal));
        Print(text, Dispatch, ipv6 ? ["ip6 daddr ::1 return", "ip6 daddr fe80::/10 return", .. Entries(entrances)] : Entries(entrances));
        if (mesh.Length > 0)
        {
            Print(text, Mesh, Entries(mesh));
        }

        Print(text, targets);
        return text.ToString();
    }

    private static ImmutableArray<string> Entries(IReadOnlyCollection<Entrance> entrances)
    {
        SortedDictionary<PortProtocol, SortedDictionary<int, string>> general = [];
        foreach (Entrance entrance in entrances.Where(static e => e.Match.Length == 0))
        {
            general.TryAdd(entrance.Protocol, []);
            general[entrance.Protocol][entrance.Published] = entrance.Chain;
        }

        return
        [
            .. entrances.Where(static e => e.Match.Length > 0).OrderBy(static e => e.Order).ThenBy(static e => e.Match, StringComparer.Ordinal)
                .ThenBy(static e => e.Protocol).ThenBy(static e => e.Published)
                .Select(static e => string.Create(CultureInfo.InvariantCulture, $"{e.Match}{Text(e.Protocol)} dport {e.Published} goto {e.Chain}")),
            .. VerdictMaps(general),
        ];
    }

    /// <summary>For each protocol one lookup, however many ports there are.</summary>
    internal static IEnumerable<string> VerdictMaps(SortedDictionary<PortProtocol, SortedDictionary<int, string>> chains) =>
        chains.Select(static g => $"{Text(g.Key)} dport vmap {{ "
            + string.Join(", ", g.Value.Select(static p => string.Create(CultureInfo.InvariantCulture, $"{p.Key} : goto {p.Value}"))) + " }");

    internal static void Print(StringBuilder text, string name, params ImmutableArray<string> lines) => NftPart.Chain(name, lines).AppendTo(text);

    internal static void Print(StringBuilder text, SortedDictionary<string, FlowRules> targets)
    {
        foreach ((string chain, FlowRules rules) in targets)
        {
            Print(text, chain, rules.Lines);
            foreach (NftPart part in rules.Parts)
            {
                part.AppendTo(text);
            }
        }
    }

    internal static string Text(PortProtocol protocol) => protocol switch
    {
        PortProtocol.Tcp => "tcp",
        PortProtocol.Udp => "udp",
        _ => "sctp",
    };

    /// <summary>IPPROTO_….</summary>
    internal static byte NumberOf(PortProtocol protocol) => protocol switch
    {
        PortProtocol.Tcp => 6,
        PortProtocol.Udp => 17,
        _ => 132,
    };

    private static PortProtocol ProtocolOf(string text) => text switch
    {
        "tcp" => PortProtocol.Tcp,
        "udp" => PortProtocol.Udp,
        _ => PortProtocol.Sctp,
    };
}
