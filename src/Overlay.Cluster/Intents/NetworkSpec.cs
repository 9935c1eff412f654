using System.Collections.Immutable;

namespace Overlay.Cluster.Intents;

/// <summary>A network as an operator asks for it; nothing in it is trusted.</summary>
public sealed record NetworkSpec
{
    /// <summary>The new network's id, made by the caller.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>
    /// Prefixes; empty: cut from the default pools. The n-th IPv4 shares a segment with the n-th IPv6.
    /// </summary>
    public ImmutableArray<string> Subnets { get; init; } = [];

    /// <summary>Each belongs to the subnet that contains it; a subnet without one gets its first address.</summary>
    public ImmutableArray<string> Gateways { get; init; } = [];

    /// <summary>Prefixes that automatic addresses come from, each inside a subnet.</summary>
    public ImmutableArray<string> Ranges { get; init; } = [];

    /// <summary>Of a subnet from the IPv4 pools, where one of that length is free; 0: the pools' own.</summary>
    public int PreferredSubnetLength { get; init; }

    /// <summary>Of the first segment; 0: allocated.</summary>
    public uint Vni { get; init; }

    /// <summary>0: from the underlay.</summary>
    public uint Mtu { get; init; }

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; init; } = [];

    public bool Internal { get; init; }

    public bool Attachable { get; init; }

    /// <summary>For ports that all nodes publish; it leads nowhere else.</summary>
    public bool Ingress { get; init; }

    /// <summary>An IPv6 subnet too, if none is given.</summary>
    public bool Ipv6 { get; init; }
}
