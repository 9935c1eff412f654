using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Text;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// Published ports of this host in its table of nftables: the first packet of a flow to one of the host's own addresses is
/// translated to a sandbox's address on the gateway bridge, and nothing else of it: the backend sees the client itself. In the
/// sandbox a rule leads what comes from that address back across the bridge, whatever default route it has.
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
        SortedDictionary<string, string> targets = new(StringComparer.Ordinal);
        List<Entrance> entrances = [];
        // Of several with the same words the first by the service's name has them.
        foreach (HostPort port in inputs.Ports.OrderBy(static p => p.Service, StringComparer.Ordinal))
        {
            string chain = ChainOf(port.Protocol, port.Published, port.Target, port.Service);
            if (TargetOf(port, inputs, slots, chain) is not { } target)
            {
                continue;
            }

            string match = (port.Interface.Length == 0 ? "" : $"iifname \"{port.Interface}\" ") + (port.Address is null ? "" : $"ip daddr {port.Address} ");
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

    /// <summary>The rule that translates a flow to an address by that choice, and a port.</summary>
    internal static string Translation(PortProtocol protocol, string choice, int port) =>
        string.Create(CultureInfo.InvariantCulture, $"meta l4proto {Text(protocol)} dnat ip to {choice}:{port}");

    /// <summary>The rules that have a backend's answers come back by where the packets left, and hide the client from it.</summary>
    /// <param name="backends">Addresses of this node's on the gateway bridge.</param>
    internal static IEnumerable<string> SourceRules(PortProtocol protocol, int published, int target, IEnumerable<IPAddress> backends) =>
        backends.Distinct().Order(AddressOrder.Instance).Select(address => string.Create(
            CultureInfo.InvariantCulture, $"ip daddr {address} {Text(protocol)} dport {target} ct original proto-dst {published} masquerade"));

    /// <summary>Those of the host's own ports, each with its line end.</summary>
    internal static string SourceRules(DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots) => string.Concat(inputs.Ports
        .Where(static p => p.TranslatesSource && !p.IsMesh).SelectMany(p => SourceRules(
            p.Protocol, p.Published, p.Target,
            p.Backends.Where(b => slots.ContainsKey(b.Sandbox)).Select(b => GatewayBridge.At(inputs.GatewayPrefix, slots[b.Sandbox]))))
        .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(static rule => $"\t\t{rule}\n"));

    /// <summary>To nodes, each for all of its backends: those that have more get more, also where backends take turns.</summary>
    internal static string ToNodes(PortProtocol protocol, Scheduler scheduler, IEnumerable<MeshNode> nodes, int published, string turn)
    {
        (IPAddress Address, long Weight)[] chosen =
        [
            .. nodes.Select(static n => (n.Address, (long)n.Weight)).OrderBy(static n => n.Address, AddressOrder.Instance).DistinctBy(static n => n.Address),
        ];
        return Translation(protocol, BackendChoice.Of(scheduler == Scheduler.Sh ? Scheduler.Sh : Scheduler.Wrr, chosen, turn), published);
    }

    private static string? TargetOf(HostPort port, DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots, string chain)
    {
        if (port.IsMesh)
        {
            return port.Nodes.IsEmpty || IngressSandbox.AddressOf(inputs) is null
                ? null
                : ToNodes(port.Protocol, port.Scheduler, port.Nodes, port.Published, $"{chain} {inputs.Vtep}");
        }

        (IPAddress Address, long Weight)[] backends =
        [
            .. port.Backends.Where(b => slots.ContainsKey(b.Sandbox)).DistinctBy(static b => b.Sandbox)
                .Select(b => (Address: GatewayBridge.At(inputs.GatewayPrefix, slots[b.Sandbox]), (long)b.Weight))
                .OrderBy(static b => b.Address, AddressOrder.Instance),
        ];
        return backends.Length == 0 ? null : Translation(port.Protocol, BackendChoice.Of(port.Scheduler, backends, chain), port.Target);
    }

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
            else if (ways.TryGetValue(chain, out List<(byte, int)>? keys) && line.LastIndexOf(':') is var colon and > 0)
            {
                foreach (string address in line[..colon].Split(' ', ',', '\t').Where(IsAddress))
                {
                    keys.ForEach(key => read[key].Add(address + line[colon..]));
                }
            }
        }

        return read;
    }

    /// <summary>A number alone would be one, too.</summary>
    private static bool IsAddress(string word) => word.Contains('.', StringComparison.Ordinal) && IPAddress.TryParse(word, out _);

    /// <summary>Answers leave a backend's sandbox by the bridge.</summary>
    public static NamespaceState InSandbox(NamespaceState state, IPNetwork prefix, int slot) => state with
    {
        Rules = state.Rules.Add(new(new(GatewayBridge.At(prefix, slot), 32), RouteEntry.OwnTable, RulePriority)),
        Routes = state.Routes.Add(new(
            new(IPAddress.Any, 0), GatewayBridge.AddressOf(prefix), GatewayBridge.SandboxInterface, GatewayBridge.RouteMetric,
            RouteEntry.OwnTable)),
    };

    private static string Print(SortedDictionary<string, string> targets, List<Entrance> entrances)
    {
        StringBuilder text = new();
        Entrance[] mesh = [.. entrances.Where(static e => e.IsMesh)];
        Print(text, "output", $"type nat hook output priority {Priority}; policy accept;", $"fib daddr type local goto {Dispatch}");
        // What sandboxes send to backends here is left alone: where br_netfilter sees it, it would be bridged to a port that is
        // isolated from theirs.
        string[] ofSandboxes = mesh.Length == 0 ? [] : [$"iifname \"{GatewayBridge.Name}\" fib daddr type local goto {Mesh}"];
        Print(
            text, "prerouting",
            [
                $"type nat hook prerouting priority {Priority}; policy accept;",
                $"iifname != \"{GatewayBridge.Name}\" fib daddr type local goto {Dispatch}",
                .. ofSandboxes,
            ]);
        Print(text, Dispatch, Entries(entrances));
        if (mesh.Length > 0)
        {
            Print(text, Mesh, Entries(mesh));
        }

        foreach ((string chain, string rule) in targets)
        {
            Print(text, chain, rule);
        }

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

    internal static void Print(StringBuilder text, string name, params ImmutableArray<string> lines)
    {
        text.Append(CultureInfo.InvariantCulture, $"\n\tchain {name} {{\n");
        foreach (string line in lines)
        {
            text.Append(CultureInfo.InvariantCulture, $"\t\t{line}\n");
        }

        text.Append("\t}\n");
    }

    private static string Text(PortProtocol protocol) => protocol switch
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
