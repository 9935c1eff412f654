using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// The kernel as a value: what one host's namespaces hold. The same shape serves the wish (from
/// <c>Desired</c>), the observation (from netlink dumps) and the simulator's model. A namespace that is
/// absent here does not exist (observed) or is not wanted (desired).
/// </summary>
public sealed record HostState
{
    public static readonly HostState Empty = new();

    public ImmutableSortedDictionary<NamespaceName, NamespaceState> Namespaces { get; init; } =
        ImmutableSortedDictionary<NamespaceName, NamespaceState>.Empty;

    public LinkState? FindLink(NamespaceName name, string link) =>
        Namespaces.TryGetValue(name, out NamespaceState? inside) ? inside.FindLink(link) : null;
}

/// <summary>One network namespace. Observations hold everything found; wishes hold only what is ours.</summary>
public sealed record NamespaceState
{
    public static readonly NamespaceState Empty = new();

    /// <summary>By interface name.</summary>
    public ImmutableSortedDictionary<string, LinkState> Links { get; init; } =
        ImmutableSortedDictionary.Create<string, LinkState>(StringComparer.Ordinal);

    public ImmutableSortedSet<AddressEntry> Addresses { get; init; } = [];

    /// <summary>Static entries of VXLAN devices (NUD_PERMANENT or NOARP, NTF_SELF) only.</summary>
    public ImmutableSortedSet<FdbEntry> Fdb { get; init; } = [];

    /// <summary>Permanent neighbour entries of VXLAN devices only.</summary>
    public ImmutableSortedSet<NeighbourEntry> Neighbours { get; init; } = [];

    /// <summary>
    /// Unicast routes with protocol <see cref="RouteEntry.Protocol"/> of the tables that <see cref="RouteEntry.IsKnown"/> only.
    /// </summary>
    public ImmutableSortedSet<RouteEntry> Routes { get; init; } = [];

    /// <summary>Routing rules with protocol <see cref="RouteEntry.Protocol"/> only.</summary>
    public ImmutableSortedSet<RuleEntry> Rules { get; init; } = [];

    /// <summary>By path below /proc/sys, e.g. "net/ipv4/ip_forward"; observations hold only the keys asked for.</summary>
    public ImmutableSortedDictionary<string, string> Sysctls { get; init; } =
        ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>
    /// The nft table <c>inet overlayd</c> in the canonical form that <c>nft -s list table inet overlayd</c> prints, its chains
    /// in order (<see cref="NftTableText.Sorted"/>), or null where there is none. Lines end in '\n'.
    /// </summary>
    public string? NftTable { get; init; }

    /// <summary>Ours, by mark; only where the kernel has IPVS.</summary>
    public ImmutableSortedDictionary<uint, IpvsService> Ipvs { get; init; } = ImmutableSortedDictionary<uint, IpvsService>.Empty;

    /// <summary>Null in a wish: any; in an observation: IPVS is not there.</summary>
    public IpvsTimeouts? IpvsTimeouts { get; init; }

    public LinkState? FindLink(string name) => Links.TryGetValue(name, out LinkState? link) ? link : null;
}

public enum LinkKind
{
    Other,
    Loopback,
    Bridge,
    Vxlan,
    Veth,
}

/// <summary>One interface.</summary>
public sealed record LinkState
{
    public required string Name { get; init; }

    public required LinkKind Kind { get; init; }

    /// <summary>Null in a wish: any.</summary>
    public MacAddress? Mac { get; init; }

    /// <summary>Bytes of layer 3; 0 in a wish: any.</summary>
    public int Mtu { get; init; }

    public bool Up { get; init; }

    /// <summary>Name of the bridge it is a port of, in the same namespace.</summary>
    public string? Master { get; init; }

    /// <summary>
    /// As a bridge port it exchanges no frames with other isolated ports (IFLA_BRPORT_ISOLATED); false in a wish: any.
    /// </summary>
    public bool Isolated { get; init; }

    public VxlanAttributes? Vxlan { get; init; }

    /// <summary>Where the other end of a veth pair is wanted; null in observations.</summary>
    public VethPeer? Peer { get; init; }

    /// <summary>
    /// The link's IFLA_IFALIAS: marks ownership ("overlayd endpoint 1abc…") where the namespace is not ours.
    /// </summary>
    public string Alias { get; init; } = "";

    /// <summary>The kernel's ifindex; 0 in a wish.</summary>
    public int Index { get; init; }
}

public readonly record struct VethPeer(NamespaceName Namespace, string Name);

/// <summary>What must hold of a VXLAN device; a device that differs is made anew.</summary>
/// <param name="Local">IFLA_VXLAN_LOCAL or LOCAL6: the VTEP address, source of every outer packet.</param>
/// <param name="Port">UDP destination port.</param>
public sealed record VxlanAttributes(
    Vni Vni, IPAddress Local, int Port, bool Learning, bool Proxy, bool L2Miss, bool L3Miss);

/// <summary>An interface address (RTM_NEWADDR); IPv6 ones are added with IFA_F_NODAD.</summary>
public sealed record AddressEntry(string Device, IPAddress Address, int PrefixLength) : IComparable<AddressEntry>
{
    public int CompareTo(AddressEntry? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = string.CompareOrdinal(Device, other.Device);
        order = order != 0 ? order : AddressOrder.CompareAddresses(Address, other.Address);
        return order != 0 ? order : PrefixLength.CompareTo(other.PrefixLength);
    }

    public override string ToString() => $"{Address}/{PrefixLength} dev {Device}";
}

/// <summary>Forwarding entry of a VXLAN device: frames for this MAC go to this VTEP. The key is (device, MAC).</summary>
public sealed record FdbEntry(string Device, MacAddress Mac, IPAddress Vtep) : IComparable<FdbEntry>
{
    public int CompareTo(FdbEntry? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = string.CompareOrdinal(Device, other.Device);
        order = order != 0 ? order : Mac.CompareTo(other.Mac);
        return order != 0 ? order : AddressOrder.CompareAddresses(Vtep, other.Vtep);
    }

    public override string ToString() => $"{Mac} dev {Device} dst {Vtep}";
}

/// <summary>Neighbour entry of a VXLAN device, which its proxy answers ARP and ND from. The key is (device, address).</summary>
public sealed record NeighbourEntry(string Device, IPAddress Address, MacAddress Mac) : IComparable<NeighbourEntry>
{
    public int CompareTo(NeighbourEntry? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = string.CompareOrdinal(Device, other.Device);
        order = order != 0 ? order : AddressOrder.CompareAddresses(Address, other.Address);
        return order != 0 ? order : Mac.CompareTo(other.Mac);
    }

    public override string ToString() => $"{Address} lladdr {Mac} dev {Device}";
}

/// <summary>
/// A unicast route that the agent made (RTA protocol <see cref="Protocol"/>). The key is (table, destination, metric).
/// </summary>
public sealed record RouteEntry(IPNetwork Destination, IPAddress? Gateway, string Device, int Metric, int Table = RouteEntry.MainTable)
    : IComparable<RouteEntry>
{
    /// <summary>RT_TABLE_MAIN.</summary>
    public const int MainTable = 254;

    /// <summary>The table that our rules lead to.</summary>
    public const int OwnTable = Protocol;

    /// <summary>In sandboxes, the way back for what came by <see cref="IngressSandbox"/>.</summary>
    public const int IngressTable = 80;

    private const int FirstTableOfMarks = 100_000;

    /// <summary>rtm_protocol of our routes, from the range left to administrators ("ov" has no registered number).</summary>
    public const byte Protocol = 79;

    /// <summary>The table for packets with that mark, which is one of 16 bits.</summary>
    public static int TableOfMark(uint mark) => FirstTableOfMarks + (int)mark;

    /// <summary>Whether routes of ours may be there.</summary>
    public static bool IsKnown(uint table) =>
        table is MainTable or OwnTable or IngressTable or (>= FirstTableOfMarks and <= FirstTableOfMarks + ushort.MaxValue);

    /// <summary>The kernel holds one of the two at a time.</summary>
    public bool HasKeyOf(RouteEntry other) =>
        Table == other.Table && Destination.Equals(other.Destination) && Metric == other.Metric;

    public int CompareTo(RouteEntry? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = AddressOrder.CompareAddresses(Destination.BaseAddress, other.Destination.BaseAddress);
        order = order != 0 ? order : Destination.PrefixLength.CompareTo(other.Destination.PrefixLength);
        order = order != 0 ? order : Metric.CompareTo(other.Metric);
        order = order != 0 ? order : AddressOrder.CompareAddresses(Gateway, other.Gateway);
        order = order != 0 ? order : string.CompareOrdinal(Device, other.Device);
        return order != 0 ? order : Table.CompareTo(other.Table);
    }

    public override string ToString() =>
        $"{Destination}{(Gateway is null ? "" : $" via {Gateway}")} dev {Device} metric {Metric}"
        + (Table == MainTable ? "" : $" table {Table}");
}

/// <summary>
/// A routing rule that the agent made (FRA_PROTOCOL <see cref="RouteEntry.Protocol"/>): packets from there, with that mark, are
/// routed by that table. All of it is the key.
/// </summary>
/// <param name="Source">Of the family that the rule is for, also where it is all of it.</param>
/// <param name="Priority">Rules are tried from the smallest to the largest; the main table's is 32766.</param>
/// <param name="Mark">All of the packet's mark; 0: any.</param>
public sealed record RuleEntry(IPNetwork Source, int Table, int Priority, uint Mark = 0) : IComparable<RuleEntry>
{
    public int CompareTo(RuleEntry? other)
    {
        if (other is null)
        {
            return 1;
        }

        int order = Priority.CompareTo(other.Priority);
        order = order != 0 ? order : AddressOrder.CompareAddresses(Source.BaseAddress, other.Source.BaseAddress);
        order = order != 0 ? order : Source.PrefixLength.CompareTo(other.Source.PrefixLength);
        order = order != 0 ? order : Table.CompareTo(other.Table);
        return order != 0 ? order : Mark.CompareTo(other.Mark);
    }

    public override string ToString() =>
        $"from {Source}{(Mark == 0 ? "" : $" fwmark {Mark}")} table {Table} priority {Priority}";
}
