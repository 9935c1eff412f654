using System.Numerics;
using Overlay.V1;

namespace Overlay.Cluster.Addresses;

/// <summary>
/// The rules of one address range, the same on managers and nodes: which addresses no endpoint may have, and how
/// large the blocks are that nodes lease.
/// </summary>
public sealed class AddressPlan
{
    /// <summary>Leases hold at most 64 IPv4 addresses,</summary>
    internal const int ShortestBlock4 = 26;

    /// <summary>and at most 65,536 of IPv6.</summary>
    internal const int ShortestBlock6 = 112;

    /// <summary>Blocks are cut so small that every node could have this many.</summary>
    internal const int BlocksPerNode = 4;

    /// <summary>Smaller clusters cut blocks as if they were this large, so that they can grow.</summary>
    internal const int LeastNodes = 4;

    private readonly Address? broadcast;

    public AddressPlan(AddressRange range)
    {
        Subnet = Prefix.Parse(range.Subnet);
        Gateway = Address.Parse(range.Gateway);
        Range = range.Range.Length == 0 ? Subnet : Prefix.Parse(range.Range);

        // IPv6 has no broadcast. The first address is the subnet-router anycast address there (RFC 4291 §2.6.1).
        broadcast = Subnet.IsIpv6 ? null : Subnet.Last;
    }

    public Prefix Subnet { get; }

    /// <summary>Where blocks are cut from.</summary>
    public Prefix Range { get; }

    public Address Gateway { get; }

    /// <summary>Null if the segment has no addresses of that family.</summary>
    public static AddressPlan? Of(Segment segment, bool ipv6)
    {
        AddressRange? range = ipv6 ? segment.Ipv6 : segment.Ipv4;
        return range is null ? null : new(range);
    }

    /// <summary>
    /// Whether no endpoint may have it: the gateway, the network's own address, the broadcast address.
    /// </summary>
    public bool IsSpecial(Address address) =>
        address == Gateway || address == Subnet.First || address == broadcast;

    /// <summary>How many addresses of a block endpoints may have.</summary>
    public UInt128 Usable(Prefix block)
    {
        UInt128 special = 0;
        special += block.Contains(Subnet.First) ? 1u : 0u;
        special += block.Contains(Gateway) && Gateway != Subnet.First && Gateway != broadcast ? 1u : 0u;
        special += broadcast is Address last && block.Contains(last) ? 1u : 0u;
        return block.Count - special;
    }

    /// <summary>The prefix length of the next block to lease in a cluster of that many nodes.</summary>
    public int BlockLength(int nodes)
    {
        uint blocks = (uint)(Math.Max(nodes, LeastNodes) * BlocksPerNode);
        int length = Range.Length + BitOperations.Log2(BitOperations.RoundUpToPowerOf2(blocks));
        return Range.IsIpv6
            ? Math.Clamp(length, ShortestBlock6, 128)
            : Math.Clamp(length, ShortestBlock4, 32);
    }
}
