using System.Collections.Immutable;
using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// The subnets of a new network, with their gateways and ranges: as asked for, or cut from the pools.
/// </summary>
internal sealed class SubnetPlanner(ClusterState state, NetworkSpec spec, string what)
{
    private const int SubnetLength6 = 64;

    private readonly Occupancy occupancy = new(state);
    private readonly List<AddressRange> ipv4 = [];
    private readonly List<AddressRange> ipv6 = [];

    /// <summary>The n-th IPv4 subnet and the n-th IPv6 subnet share the n-th segment; VNIs are not yet in it.</summary>
    public Outcome<ImmutableArray<Segment>> Plan()
    {
        if ((AddGiven() ?? AddFromPools() ?? SetGateways() ?? SetRanges()) is { } refusal)
        {
            return refusal;
        }

        ImmutableArray<Segment>.Builder segments = ImmutableArray.CreateBuilder<Segment>();
        for (int i = 0; i < Math.Max(ipv4.Count, ipv6.Count); i++)
        {
            segments.Add(new()
            {
                Ipv4 = i < ipv4.Count ? ipv4[i] : null,
                Ipv6 = i < ipv6.Count ? ipv6[i] : null,
            });
        }

        return segments.ToImmutable();
    }

    private Refusal? AddGiven()
    {
        foreach (string text in spec.Subnets)
        {
            if (!AddressRules.ReadSubnet(text, what, "--subnet").TryGet(out Prefix subnet, out Refusal? refusal))
            {
                return refusal;
            }

            if (All.Select(range => Prefix.Parse(range.Subnet)).FirstOrDefault(subnet.Overlaps) is { Length: > 0 } twin)
            {
                return Invalid($"The subnets {twin} and {subnet} overlap.", "Give subnets that do not overlap.");
            }

            if (occupancy.HolderOf(subnet) is { } holder)
            {
                return new(
                    RefusalKind.Conflict, what, $"The subnet {subnet} overlaps {holder.Name}.",
                    "Choose another `--subnet`, or leave it out to get a free one.");
            }

            List<AddressRange> family = subnet.IsIpv6 ? ipv6 : ipv4;
            if (family.Count == Limits.SubnetsPerFamily)
            {
                return Invalid(
                    $"More than {Limits.SubnetsPerFamily} subnets of one family were given.",
                    "Create several networks instead.");
            }

            family.Add(new() { Subnet = subnet.ToString() });
        }

        return null;
    }

    private Refusal? AddFromPools()
    {
        if (spec.Subnets.IsEmpty)
        {
            if (spec.Gateways.Length > 0 || spec.Ranges.Length > 0)
            {
                return Invalid(
                    "A gateway or a range was given without a subnet to put it into.", "Give its `--subnet` as well.");
            }

            List<Prefix> pools = PoolsOf(ipv6: false);
            bool preferred = spec.PreferredSubnetLength > 0 && CutFrom(pools, spec.PreferredSubnetLength, ipv4) is null;
            if (!preferred && CutFrom(pools, (int)state.Cluster!.DefaultPoolPrefix, ipv4) is { } refusal)
            {
                return refusal;
            }
        }

        return spec.Ipv6 && ipv6.Count == 0 ? CutFrom(PoolsOf(ipv6: true), SubnetLength6, ipv6) : null;
    }

    private Refusal? CutFrom(List<Prefix> pools, int length, List<AddressRange> family)
    {
        foreach (Prefix pool in pools)
        {
            if (occupancy.Cut(pool, length) is Prefix subnet)
            {
                family.Add(new() { Subnet = subnet.ToString() });
                return null;
            }
        }

        string example = family == ipv6 ? "fd00:1::/64" : "192.168.100.0/24";
        return new(
            RefusalKind.Exhausted,
            what,
            pools.Count == 0
                ? "The cluster has no default pool of that family."
                : $"No /{length} is free in {string.Join(", ", pools)}: networks and routes of the hosts take it all.",
            $"Type `overlayd network create --subnet {example} …` with a subnet of your own, or remove a network.");
    }

    private List<Prefix> PoolsOf(bool ipv6)
    {
        List<Prefix> pools =
            [.. state.Cluster!.DefaultPools.Select(Prefix.Parse).Where(pool => pool.IsIpv6 == ipv6)];
        if (ipv6 && pools.Count == 0)
        {
            pools.Add(Occupancy.UniqueLocalPool(state.Cluster.Id));
        }

        return pools;
    }

    private Refusal? SetGateways()
    {
        foreach (string text in spec.Gateways)
        {
            if (!Address.TryParse(text, out Address gateway))
            {
                return Invalid(
                    $"The gateway {Refusal.Quote(text)} is not an address.", "Give it as `--gateway 10.1.0.1`.");
            }

            if (All.FirstOrDefault(range => Prefix.Parse(range.Subnet).Contains(gateway)) is not { } owner)
            {
                return Invalid(
                    $"The gateway {gateway} is in none of the subnets {SubnetNames}.", "Choose one inside a subnet.");
            }

            Prefix subnet = Prefix.Parse(owner.Subnet);
            if (gateway == subnet.First || (!subnet.IsIpv6 && gateway == subnet.Last))
            {
                return Invalid(
                    $"The gateway {gateway} is the "
                        + $"{(gateway == subnet.First ? "network's own" : "broadcast")} address of {subnet}.",
                    $"Leave it out to get {FirstHost(subnet)}.");
            }

            if (owner.Gateway.Length > 0)
            {
                return Invalid($"The subnet {subnet} was given two gateways.", "Give one gateway for each subnet.");
            }

            owner.Gateway = gateway.ToString();
        }

        foreach (AddressRange range in All.Where(range => range.Gateway.Length == 0))
        {
            range.Gateway = FirstHost(Prefix.Parse(range.Subnet)).ToString();
        }

        return null;
    }

    private Refusal? SetRanges()
    {
        foreach (string text in spec.Ranges)
        {
            if (!AddressRules.ReadPrefix(text, what, "--ip-range").TryGet(out Prefix inner, out Refusal? refusal))
            {
                return refusal;
            }

            if (All.FirstOrDefault(range => Prefix.Parse(range.Subnet).Contains(inner)) is not { } owner)
            {
                return Invalid(
                    $"The range {inner} lies in none of the subnets {SubnetNames}.", "Choose one inside a subnet.");
            }

            if (owner.Range.Length > 0)
            {
                return Invalid($"The subnet {owner.Subnet} was given two ranges.", "Give one range for each subnet.");
            }

            owner.Range = inner.ToString();
            if (new AddressPlan(owner).Usable(inner) == 0)
            {
                return Invalid($"The range {inner} holds no address for an endpoint.", "Choose a larger range.");
            }
        }

        return null;
    }

    private IEnumerable<AddressRange> All => ipv4.Concat(ipv6);

    private string SubnetNames => string.Join(", ", All.Select(range => range.Subnet));

    private Refusal Invalid(string why, string next) => new(RefusalKind.Invalid, what, why, next);

    private static Address FirstHost(Prefix subnet) => new(subnet.IsIpv6, subnet.First.Value + 1);
}
