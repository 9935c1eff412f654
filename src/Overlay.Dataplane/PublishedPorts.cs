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
    private const int Priority = -85;

    /// <summary>Before the rules of the main and the default table.</summary>
    private const int RulePriority = 7900;

    private const string Dispatch = "published";

    /// <summary>Chains for the host's table, each with a blank line before it; empty where no port has a backend.</summary>
    /// <param name="ports">Of several with the same words the first by the service's name has them.</param>
    /// <param name="slots">Places of sandboxes on the gateway bridge; the ports of others lead nowhere.</param>
    public static string Chains(IEnumerable<HostPort> ports, SortedDictionary<NamespaceName, int> slots, IPNetwork prefix)
    {
        SortedDictionary<string, string> targets = new(StringComparer.Ordinal);
        SortedDictionary<(int, string), string> special = [];
        SortedDictionary<PortProtocol, SortedDictionary<int, string>> general = [];
        foreach (HostPort port in ports.OrderBy(static p => p.Service, StringComparer.Ordinal))
        {
            (IPAddress Address, long Weight)[] backends =
            [
                .. port.Backends.Where(b => slots.ContainsKey(b.Sandbox)).DistinctBy(static b => b.Sandbox)
                    .Select(b => (Address: GatewayBridge.At(prefix, slots[b.Sandbox]), (long)b.Weight)).OrderBy(static b => b.Address, AddressOrder.Instance),
            ];
            if (backends.Length == 0)
            {
                continue;
            }

            string name = Text(port.Protocol);
            string chain = string.Create(CultureInfo.InvariantCulture, $"{name}-{port.Published}-{port.Target}-{port.Service}");
            if (port.Address is null && port.Interface.Length == 0)
            {
                general.TryAdd(port.Protocol, []);
                if (!general[port.Protocol].TryAdd(port.Published, chain))
                {
                    continue;
                }
            }
            else
            {
                string match = (port.Interface.Length == 0 ? "" : $"iifname \"{port.Interface}\" ")
                    + (port.Address is null ? "" : $"ip daddr {port.Address} ")
                    + string.Create(CultureInfo.InvariantCulture, $"{name} dport {port.Published}");
                int order = port.Address is null ? 2 : port.Interface.Length == 0 ? 1 : 0;
                if (!special.TryAdd((order, match), chain))
                {
                    continue;
                }
            }

            targets[chain] = string.Create(
                CultureInfo.InvariantCulture,
                $"meta l4proto {name} dnat ip to {BackendChoice.Of(port.Scheduler, backends, chain)}:{port.Target}");
        }

        return targets.Count == 0 ? "" : Print(targets, special, general);
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

    private static string Print(
        SortedDictionary<string, string> targets, SortedDictionary<(int, string), string> special,
        SortedDictionary<PortProtocol, SortedDictionary<int, string>> general)
    {
        StringBuilder text = new();
        // What sandboxes send is left alone: where br_netfilter sees it, it would be bridged to a port that is isolated from theirs.
        Hook("output", "");
        Hook("prerouting", $"iifname != \"{GatewayBridge.Name}\" ");
        Chain(
            text, Dispatch,
            [
                .. special.Select(static s => $"{s.Key.Item2} goto {s.Value}"),
                .. general.Select(static g => $"{Text(g.Key)} dport vmap {{ "
                    + string.Join(", ", g.Value.Select(static p => string.Create(CultureInfo.InvariantCulture, $"{p.Key} : goto {p.Value}")))
                    + " }"),
            ]);
        foreach ((string chain, string rule) in targets)
        {
            Chain(text, chain, rule);
        }

        return text.ToString();

        void Hook(string name, string match) => Chain(
            text, name, $"type nat hook {name} priority {Priority}; policy accept;", $"{match}fib daddr type local goto {Dispatch}");
    }

    private static void Chain(StringBuilder text, string name, params ImmutableArray<string> lines)
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
