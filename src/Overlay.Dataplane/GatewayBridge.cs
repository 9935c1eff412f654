using System.Collections.Immutable;
using System.Net;

namespace Overlay.Dataplane;

/// <summary>
/// The way out of a sandbox: the bridge ovgw0 in the host's namespace, one veth for each sandbox that may leave, and
/// masquerade. A sandbox's address has length 32, so that sandboxes meet only in the host's forward chain, which
/// drops what goes from one to another and what others begin, but for published ports. The ports are isolated besides:
/// otherwise the host's own ICMP redirects would show sandboxes the way to each other across the bridge, past that chain.
/// </summary>
public static class GatewayBridge
{
    public const string Name = "ovgw0";
    public const string SandboxInterface = "ovgw";
    public const string PortPrefix = "ovg";
    public const int RouteMetric = 1024;

    /// <summary>
    /// Answers to 127.0.0.1 may come by the bridge, for published ports. The table's guard drops what is sent there: only
    /// conntrack's own translation of an answer comes after it.
    /// </summary>
    private const string LocalClients = $"net/ipv4/conf/{Name}/route_localnet";

    /// <summary>
    /// A local prefix (RFC 4193) that no packet leaves the host with: what has an IPv4 address of the gateway's has an IPv6 one, too,
    /// whose last 32 bits are the former.
    /// </summary>
    private static readonly IPAddress Prefix6 = IPAddress.Parse("fd4f:7665:726c:6179::");

    private static readonly IPAddress LinkLocalPrefix = IPAddress.Parse("fe80::");

    /// <summary>Where published ports are for clients by IPv6, too.</summary>
    internal const string Forwarding6 = "net/ipv6/conf/all/forwarding";

    public static IPAddress AddressOf(IPNetwork prefix) => At(prefix, 1);

    /// <summary>The IPv6 address of what has that address of the gateway's.</summary>
    internal static IPAddress Ipv6Of(IPAddress address) => Within(Prefix6, address);

    /// <summary>
    /// A link-local address for an interface that packets of others leave by. The kernel asks for a neighbour from such an address
    /// (RFC 4861 §7.2.2), and its own is tentative for the first two seconds; this one is of use at once.
    /// </summary>
    internal static AddressEntry LinkLocal(string device, IPAddress address) => new(device, Within(LinkLocalPrefix, address), 64);

    private static IPAddress Within(IPAddress prefix, IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        prefix.TryWriteBytes(bytes, out _);
        address.TryWriteBytes(bytes[12..], out _);
        return new(bytes);
    }

    /// <summary>A sandbox's address for clients by IPv4 or by IPv6.</summary>
    internal static IPAddress At(IPNetwork prefix, int slot, bool ipv6) => ipv6 ? Ipv6Of(At(prefix, slot)) : At(prefix, slot);

    public static IPAddress At(IPNetwork prefix, int slot)
    {
        Span<byte> bytes = stackalloc byte[4];
        prefix.BaseAddress.TryWriteBytes(bytes, out _);
        uint value = System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(bytes) + (uint)slot;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return new(bytes);
    }

    /// <summary>Of sandboxes; behind it are the addresses of <see cref="IngressSandbox"/>, and the broadcast address.</summary>
    public static int LastSlot(IPNetwork prefix) => (1 << (32 - prefix.PrefixLength)) - 4;

    public static string PortOf(IPNetwork prefix, int slot) => $"{PortPrefix}{slot:x}p{prefix.PrefixLength}";

    /// <summary>What `nft -s list table inet overlayd` prints of it, chains in order of their names.</summary>
    /// <param name="published">Chains of <see cref="PublishedPorts"/>.</param>
    /// <param name="translated">Rules for ports whose backends do not see the client.</param>
    private static string Table(DataplaneInputs inputs, string published, string translated)
    {
        (string guard, string forward, string postrouting) = IngressSandbox.HostRules(inputs);
        return NftTableText.Sorted($$"""
        table inet overlayd {
        	chain guard {
        		type filter hook prerouting priority raw; policy accept;
        		iifname "ovgw0" ip daddr 127.0.0.0/8 drop
        {{guard}}	}

        	chain forward {
        		type filter hook forward priority filter; policy accept;
        		iifname "ovgw0" oifname "ovgw0" drop
        		iifname "ovgw0" meta nfproto ipv6 ct state established,related accept
        		iifname "ovgw0" meta nfproto ipv6 drop
        		oifname "ovgw0" ct status dnat accept
        		oifname "ovgw0" ct state established,related accept
        		oifname "ovgw0" drop
        {{forward}}	}

        	chain postrouting {
        		type nat hook postrouting priority srcnat; policy accept;
        {{postrouting}}{{translated}}		ip saddr 127.0.0.0/8 oifname "ovgw0" masquerade
        		ip saddr {{inputs.GatewayPrefix}} oifname != "ovgw0" masquerade
        	}
        {{published}}}

        """.Replace("\r", "", StringComparison.Ordinal));
    }

    internal static NamespaceState InHost(DataplaneInputs inputs, SortedDictionary<NamespaceName, int> slots)
    {
        if (slots.Count == 0 && IngressSandbox.AddressOf(inputs) is null)
        {
            return NamespaceState.Empty;
        }

        string published = PublishedPorts.Chains(inputs, slots);
        ImmutableSortedDictionary<string, LinkState>.Builder links =
            ImmutableSortedDictionary.CreateBuilder<string, LinkState>(StringComparer.Ordinal);
        links[Name] = new()
        {
            Name = Name,
            Kind = LinkKind.Bridge,
            Mac = StableMac.Of(Name),
            Mtu = inputs.UnderlayMtu,
            Up = true,
        };
        foreach ((NamespaceName sandbox, int slot) in slots)
        {
            string port = PortOf(inputs.GatewayPrefix, slot);
            links[port] = new()
            {
                Name = port,
                Kind = LinkKind.Veth,
                Mtu = inputs.UnderlayMtu,
                Up = true,
                Master = Name,
                Isolated = true,
                Peer = new(sandbox, SandboxInterface),
            };
        }

        ImmutableSortedSet<AddressEntry> addresses = [new(Name, AddressOf(inputs.GatewayPrefix), inputs.GatewayPrefix.PrefixLength)];
        ImmutableSortedDictionary<string, string> sysctls =
            NamespaceState.Empty.Sysctls.Add("net/ipv4/ip_forward", "1").Add(LocalClients, published.Length > 0 ? "1" : "0");
        if (PublishedPorts.HaveIpv6(inputs))
        {
            addresses = addresses.Add(new(Name, Ipv6Of(AddressOf(inputs.GatewayPrefix)), 128 - 32 + inputs.GatewayPrefix.PrefixLength))
                .Add(LinkLocal(Name, AddressOf(inputs.GatewayPrefix)));
            sysctls = sysctls.Add(Forwarding6, "1");
        }

        return IngressSandbox.InHost(new()
        {
            Links = links.ToImmutable(),
            Addresses = addresses,
            Sysctls = sysctls,
            NftTable = Table(inputs, published, PublishedPorts.SourceRules(inputs, slots)),
        }, inputs);
    }

    /// <summary>Adds the sandbox's end, its address and the default route.</summary>
    internal static NamespaceState InSandbox(NamespaceState state, DataplaneInputs inputs, int slot)
    {
        IPAddress bridge = AddressOf(inputs.GatewayPrefix);
        return state with
        {
            Links = state.Links.SetItem(SandboxInterface, new()
            {
                Name = SandboxInterface,
                Kind = LinkKind.Veth,
                Mtu = inputs.UnderlayMtu,
                Up = true,
                Alias = "overlayd gateway",
            }),
            Addresses = state.Addresses.Add(new(SandboxInterface, At(inputs.GatewayPrefix, slot), 32)),
            Routes = state.Routes
                .Add(new(new(bridge, 32), null, SandboxInterface, RouteMetric))
                .Add(new(new(IPAddress.Any, 0), bridge, SandboxInterface, RouteMetric)),
        };
    }
}
