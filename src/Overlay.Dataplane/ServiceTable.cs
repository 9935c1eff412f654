using System.Net;
using System.Net.Sockets;
using System.Text;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// The virtual addresses of services, in each sandbox that may use them: its first packet to one is translated to a backend
/// by nftables, where the connection begins, and conntrack keeps that for all that follow. So the backend sees the client
/// itself, and a change of the table touches no connection. One map lookup finds the service, however many there are. That
/// rules ask for the state starts conntrack, without which the kernel skips them: a table of refusals alone translates nothing.
/// </summary>
internal static class ServiceTable
{
    /// <summary>
    /// Below the -100 of container runtimes, and not near a priority that nft has a name for, which depends on its version.
    /// </summary>
    internal const int Priority = -85;

    private const string Refused = "refused";
    private const string Head = "table inet overlayd {\n";
    private const string Services = "services";
    private const string Dispatch = $"\tchain {Services} {{\n";
    private const string Entries = "\t\tip daddr vmap { ";
    private const string Entries6 = "\t\tip6 daddr vmap { ";

    /// <summary>
    /// What `nft -s list table inet overlayd` prints of it, chains in order of their names; null where there is no service.
    /// </summary>
    /// <param name="services">Of the sandbox's networks. Where two claim an address or a name the first has it.</param>
    /// <param name="ingress">The chains that lead back answers of its backends of ports of all nodes; empty: it has none.</param>
    /// <param name="marks">What <see cref="IpvsServices"/> has of the sandbox's own flows; null: nftables has them all.</param>
    /// <param name="sandbox">
    /// What is the sandbox's own: those that take turns begin at another backend in each sandbox, and with each change of the service.
    /// </param>
    public static string? Of(IEnumerable<VirtualService> services, string sandbox, string ingress = "", MarkedServices? marks = null)
    {
        VirtualService[] ordered = [.. services.OrderBy(static s => s.Name, StringComparer.Ordinal).DistinctBy(static s => s.Name)];
        StringBuilder parts = new();
        SortedDictionary<IPAddress, string> targets4 = new(AddressOrder.Instance);
        SortedDictionary<IPAddress, string> targets6 = new(AddressOrder.Instance);
        foreach (VirtualService service in ordered)
        {
            AddFamily(service, AddressFamily.InterNetwork, sandbox, targets4, parts);
            AddFamily(service, AddressFamily.InterNetworkV6, sandbox, targets6, parts);
        }

        if (targets4.Count == 0 && targets6.Count == 0)
        {
            return ingress.Length > 0 ? NftTableText.Sorted($"{Head}{ingress.TrimStart('\n')}}}\n") : null;
        }

        string dispatch = DispatchOf(Entries, targets4) + DispatchOf(Entries6, targets6);
        string output = marks is null
            ? $"\t\ttype nat hook output priority {Priority}; policy accept;\n\t\tct state new goto services\n"
            : $"\t\ttype filter hook output priority mangle; policy accept;\n\t\tct state new goto marks\n";
        string marked = marks is null
            ? "" : $"\n\tchain marks {{\n{DispatchOf(Entries, Marked(targets4, marks))}{DispatchOf(Entries6, Marked(targets6, marks))}\t}}\n{marks.Chains}";
        return NftTableText.Sorted($$"""
            {{Head}}{{Dispatch}}{{dispatch}}	}

            	chain output {
            {{output}}	}

            	chain prerouting {
            		type nat hook prerouting priority {{Priority}}; policy accept;
            		ct state new goto services
            	}

            	chain {{Refused}} {
            		meta l4proto tcp reject with tcp reset
            		reject
            	}
            {{parts}}{{ingress}}{{marked}}}

            """.Replace("\r", "", StringComparison.Ordinal));
    }

    /// <summary>Whether a table of the agent's name is of this kind: that of a host, in a sandbox, is another agent's.</summary>
    public static bool IsOne(string? table) => HasServices(table) || IsIngress(table);

    private static bool HasServices(string? table) =>
        table is not null && table.StartsWith(Head, StringComparison.Ordinal) && table.Contains(Dispatch, StringComparison.Ordinal);

    private static bool IsIngress(string? table) =>
        table is not null && table.StartsWith(Head + IngressSandbox.AnswerChains[1..], StringComparison.Ordinal);

    /// <summary>The virtual addresses of a table, each with its backends; of what is not readable, nothing.</summary>
    public static SortedDictionary<IPAddress, SortedSet<IPAddress>> Read(string? table)
    {
        SortedDictionary<IPAddress, SortedSet<IPAddress>> read = new(AddressOrder.Instance);
        if (!HasServices(table))
        {
            return read;
        }

        SortedDictionary<string, SortedSet<IPAddress>> chains = new(StringComparer.Ordinal);
        string chain = "";
        foreach (string line in table!.Split('\n'))
        {
            if (line.StartsWith("\tchain ", StringComparison.Ordinal))
            {
                chain = line[7..].TrimEnd(' ', '{');
            }
            else if (chain == Services && line.Contains(" daddr vmap { ", StringComparison.Ordinal))
            {
                foreach (string entry in Elements(line))
                {
                    string[] parts = entry.Split(" : goto ");
                    if (parts.Length == 2 && IPAddress.TryParse(parts[0], out IPAddress? address))
                    {
                        read[address] = BackendsOf(parts[1]);
                    }
                }
            }
            else if (line.StartsWith("\t\tdnat ", StringComparison.Ordinal))
            {
                SortedSet<IPAddress> backends = BackendsOf(FlowChains.OwnerOf(chain));
                string[] texts = line.Contains('{', StringComparison.Ordinal) ? Elements(line) : [line];
                backends.UnionWith(texts.Select(static text => text[(text.LastIndexOf(' ') + 1)..])
                    .Select(static text => IPAddress.TryParse(text, out IPAddress? address) ? address : null).OfType<IPAddress>());
            }
        }

        return read;

        SortedSet<IPAddress> BackendsOf(string name)
        {
            if (!chains.TryGetValue(name, out SortedSet<IPAddress>? backends))
            {
                chains[name] = backends = new(AddressOrder.Instance);
            }

            return backends;
        }
    }

    private static string[] Elements(string line)
    {
        int open = line.IndexOf('{', StringComparison.Ordinal);
        int close = line.LastIndexOf('}');
        return open < 0 || close < open ? [] : line[(open + 1)..close].Split(',', StringSplitOptions.TrimEntries);
    }

    private static string Print(VirtualService service) =>
        $" {service.Name} {service.Ipv4} {service.Ipv6} {service.Scheduler} {string.Join(' ', service.Backends)}";

    /// <summary>The chains that mark instead of those that translate; a refusal is one for both.</summary>
    private static SortedDictionary<IPAddress, string> Marked(SortedDictionary<IPAddress, string> targets, MarkedServices marks)
    {
        SortedDictionary<IPAddress, string> marked = new(AddressOrder.Instance);
        foreach ((IPAddress address, string chain) in targets)
        {
            string service = chain[(chain.IndexOf('-', StringComparison.Ordinal) + 1)..];
            string mark = chain == Refused ? Refused : IpvsServices.ChainOf(service, address.AddressFamily == AddressFamily.InterNetworkV6);
            if (mark == Refused || marks.Marked.Contains(mark))
            {
                marked[address] = mark;
            }
        }

        return marked;
    }

    private static string DispatchOf(string head, SortedDictionary<IPAddress, string> targets) => targets.Count == 0
        ? ""
        : head + string.Join(", ", targets.Select(static t => $"{InetText.Of(t.Key)} : goto {t.Value}")) + " }\n";

    private static void AddFamily(
        VirtualService service, AddressFamily family, string sandbox, SortedDictionary<IPAddress, string> targets, StringBuilder parts)
    {
        bool ipv6 = family == AddressFamily.InterNetworkV6;
        if ((ipv6 ? service.Ipv6 : service.Ipv4) is not { } address || targets.ContainsKey(address))
        {
            return;
        }

        (IPAddress Address, long Weight)[] backends =
        [
            .. service.Backends.Select(b => (Address: ipv6 ? b.Ipv6 : b.Ipv4, b.Weight)).Where(static b => b.Address is not null)
                .Select(static b => (b.Address!, (long)b.Weight)).OrderBy(static b => b.Item1, AddressOrder.Instance)
                .DistinctBy(static b => b.Item1),
        ];
        if (backends.Length == 0)
        {
            targets[address] = Refused;
            return;
        }

        string chain = $"{(ipv6 ? "vip6" : "vip4")}-{service.Name}";
        targets[address] = chain;
        FlowRules rules = FlowChains.Of(
            chain, new(service.Scheduler, backends, sandbox + Print(service)), service.Flows, [PortProtocol.Tcp, PortProtocol.Udp], isShared: false,
            choice => $"dnat {(ipv6 ? "ip6" : "ip")} to {choice}");
        foreach (NftPart part in rules.Parts.Prepend(NftPart.Chain(chain, rules.Lines)))
        {
            part.AppendTo(parts);
        }
    }
}
