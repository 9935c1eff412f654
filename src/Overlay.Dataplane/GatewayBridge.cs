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

    public static IPAddress AddressOf(IPNetwork prefix) => At(prefix, 1);

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

        return IngressSandbox.InHost(new()
        {
            Links = links.ToImmutable(),
            Addresses = [new(Name, AddressOf(inputs.GatewayPrefix), inputs.GatewayPrefix.PrefixLength)],
            Sysctls = NamespaceState.Empty.Sysctls.Add("net/ipv4/ip_forward", "1").Add(LocalClients, published.Length > 0 ? "1" : "0"),
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
