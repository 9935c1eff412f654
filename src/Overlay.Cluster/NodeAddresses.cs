using System.Net;
using Overlay.Cluster.Addresses;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster;

/// <summary>
/// One node's addresses, given out of its leases without asking anyone. An address that comes back rests before another
/// endpoint gets it, and is offered late (next-fit); no MAC is ever made twice.
/// </summary>
public sealed class NodeAddresses(NodeId node)
{
    /// <summary>
    /// Numbers left out at every restart, so that MACs stay new even if the last writes before a crash were lost.
    /// </summary>
    internal const ulong RestartStride = 1 << 16;

    private const ulong MacBits = (1UL << 40) - 1;

    private readonly string nodeId = node.ToString();
    private readonly SortedSet<(NetworkId Network, Address Address)> used = [];
    private readonly SortedDictionary<(NetworkId Network, Address Address), long> resting = [];
    private readonly SortedDictionary<(NetworkId Network, int Segment, bool Ipv6), LeasedPool> pools = [];
    private SortedDictionary<NetworkId, NetworkObject> networks = [];

    /// <summary>How long an address rests; set from <see cref="ClusterView.QuarantineSeconds"/>.</summary>
    public TimeSpan Quarantine { get; set; } = TimeSpan.FromSeconds(BootstrapSpec.StandardQuarantineSeconds);

    /// <summary>How many MACs were made; persist it with the endpoints.</summary>
    public ulong MacCounter { get; private set; }

    /// <summary>Addresses in quarantine; persist them.</summary>
    public IEnumerable<RestingAddress> Resting => resting.Select(pair =>
        new RestingAddress(pair.Key.Network, pair.Key.Address.ToIPAddress(), pair.Value));

    /// <summary>Addresses given since the start.</summary>
    public long Given { get; private set; }

    /// <summary>Wishes refused since the start.</summary>
    public long Refused { get; private set; }

    /// <summary>Times that this node's blocks had no answer and a manager had to be asked.</summary>
    public long Missing { get; private set; }

    /// <summary>What is leased to this node, by network: addresses that endpoints can have, hold, and that rest.</summary>
    public IEnumerable<(NetworkId Network, double Leased, int Used, int Resting)> Census() => pools
        .GroupBy(static pool => pool.Key.Network)
        .Select(of => (
            of.Key, of.Sum(static pool => (double)pool.Value.Usable),
            used.Count(each => each.Network == of.Key), resting.Keys.Count(each => each.Network == of.Key)));

    /// <summary>Takes back what was persisted; before anything else is done.</summary>
    /// <param name="macCounter">Of <see cref="MacCounter"/>.</param>
    /// <param name="rested">Of <see cref="Resting"/>.</param>
    /// <param name="held">Addresses of endpoints that live on.</param>
    public void Restore(
        ulong macCounter, IEnumerable<RestingAddress> rested, IEnumerable<(NetworkId Network, IPAddress Address)> held)
    {
        MacCounter = macCounter + RestartStride;
        foreach (RestingAddress each in rested)
        {
            resting[(each.Network, Address.From(each.Address))] = each.ReleasedUnixMs;
        }

        foreach ((NetworkId network, IPAddress address) in held)
        {
            used.Add((network, Address.From(address)));
            resting.Remove((network, Address.From(address)));
        }
    }

    /// <summary>The assignment changed. Those of other nodes and those that were released are left out.</summary>
    public void SetLeases(IEnumerable<LeaseObject> leases, IEnumerable<NetworkObject> known)
    {
        networks = [];
        foreach (NetworkObject network in known)
        {
            networks[NetworkId.Parse(network.Id)] = network;
        }

        SortedDictionary<(NetworkId, int, bool), List<Prefix>> blocks = [];
        foreach (LeaseObject lease in leases.Where(lease => lease.NodeId == nodeId && lease.ReleasedUnixMs == 0))
        {
            Prefix block = Prefix.Parse(lease.Block);
            var key = (NetworkId.Parse(lease.NetworkId), (int)lease.Segment, block.IsIpv6);
            if (!blocks.TryGetValue(key, out List<Prefix>? ofPool))
            {
                blocks[key] = ofPool = [];
            }

            ofPool.Add(block);
        }

        foreach (var gone in pools.Keys.Where(key => !blocks.ContainsKey(key)).ToArray())
        {
            pools.Remove(gone);
        }

        foreach ((var key, List<Prefix> ofPool) in blocks)
        {
            if (PlanOf(key) is not { } plan)
            {
                pools.Remove(key);
            }
            else if (pools.TryGetValue(key, out LeasedPool? pool))
            {
                pool.Replace(plan, ofPool);
            }
            else
            {
                pools[key] = new(plan, ofPool, NewestOf(key.Item1, ofPool));
            }
        }
    }

    /// <summary>Any free address of a segment; neither address nor refusal: this node needs another lease.</summary>
    public AddressResult Allocate(NetworkId network, int segment, bool ipv6, long unixMs) =>
        Count(FindFree(network, segment, ipv6, unixMs));

    private AddressResult FindFree(NetworkId network, int segment, bool ipv6, long unixMs)
    {
        Forget(unixMs);
        if (PlanOf((network, segment, ipv6)) is null)
        {
            return new(null, SegmentUnknown(network, segment, ipv6));
        }

        if (!pools.TryGetValue((network, segment, ipv6), out LeasedPool? pool)
            || pool.Next(address => IsFree(network, address)) is not Address found)
        {
            return default;
        }

        used.Add((network, found));
        return new(found.ToIPAddress(), null);
    }

    /// <summary>
    /// A certain address; neither address nor refusal: it lies outside this node's blocks, a manager may reserve it.
    /// One that rests here is given: this node knows that the previous endpoint is gone.
    /// </summary>
    public AddressResult Claim(NetworkId network, int segment, IPAddress wanted, long unixMs) =>
        Count(TakeWanted(network, segment, wanted, unixMs));

    private AddressResult TakeWanted(NetworkId network, int segment, IPAddress wanted, long unixMs)
    {
        Forget(unixMs);
        Address address = Address.From(wanted);
        string what = $"The address {address} was not given.";
        if (PlanOf((network, segment, address.IsIpv6)) is not { } plan)
        {
            return new(null, SegmentUnknown(network, segment, address.IsIpv6));
        }

        if (!StaticAddress.Read(networks[network], address.ToString(), what)
            .TryGet(out StaticAddress? found, out Refusal? refusal))
        {
            return new(null, refusal);
        }

        if (found.Segment != segment)
        {
            return new(null, new(
                RefusalKind.Invalid, what, $"It is outside {plan.Subnet}, the subnet of the endpoint's other address.",
                "Choose addresses of one segment; `overlayd network inspect` shows them."));
        }

        if (used.Contains((network, address)))
        {
            return new(null, new(
                RefusalKind.Conflict, what, "An endpoint of this node has it.",
                "Type `overlayd endpoint ls` to see which, and choose another."));
        }

        if (!pools.TryGetValue((network, segment, address.IsIpv6), out LeasedPool? pool) || !pool.Contains(address))
        {
            return default;
        }

        used.Add((network, address));
        resting.Remove((network, address));
        return new(wanted, null);
    }

    /// <summary>The endpoint is gone from this node: the address rests. One that is not in use is left alone.</summary>
    public void Release(NetworkId network, IPAddress released, long unixMs)
    {
        Forget(unixMs);
        Address address = Address.From(released);
        if (used.Remove((network, address)))
        {
            resting[(network, address)] = unixMs;
        }
    }

    /// <summary>
    /// Where less than a quarter of what is leased is free: another lease should be asked for ahead of need.
    /// </summary>
    public IEnumerable<(NetworkId Network, int Segment, bool Ipv6)> LowWater()
    {
        foreach ((var key, LeasedPool pool) in pools)
        {
            UInt128 taken = 0;
            foreach ((NetworkId _, Address address) in used.Concat(resting.Keys)
                .Where(each => each.Network == key.Network && pool.Contains(each.Address)))
            {
                taken += pool.IsSpecial(address) ? 0u : 1u;
            }

            UInt128 usable = pool.Usable;
            if ((usable - taken) * 4 < usable)
            {
                yield return key;
            }
        }
    }

    /// <summary>
    /// A locally administered address (IEEE 802, second bit) that this node never made before: 40 bits that begin at a
    /// place of the node's own and count on. So an address's new owner never answers to the old one's MAC.
    /// </summary>
    public MacAddress NewMac()
    {
        MacCounter++;
        return new((0x02UL << 40) | ((Scatter(node.Value) + MacCounter) & MacBits));
    }

    private AddressResult Count(AddressResult result)
    {
        Given += result.Address is not null ? 1 : 0;
        Refused += result.Refusal is not null ? 1 : 0;
        Missing += result is { Address: null, Refusal: null } ? 1 : 0;
        return result;
    }

    private bool IsFree(NetworkId network, Address address) =>
        !used.Contains((network, address)) && !resting.ContainsKey((network, address));

    private void Forget(long unixMs)
    {
        long latest = unixMs - (long)Quarantine.TotalMilliseconds;
        foreach (var rested in resting.Where(pair => pair.Value <= latest).Select(pair => pair.Key).ToArray())
        {
            resting.Remove(rested);
        }
    }

    private AddressPlan? PlanOf((NetworkId Network, int Segment, bool Ipv6) key) =>
        networks.TryGetValue(key.Network, out NetworkObject? network)
        && key.Segment >= 0 && key.Segment < network.Segments.Count
            ? AddressPlan.Of(network.Segments[key.Segment], key.Ipv6)
            : null;

    /// <summary>
    /// Where the search goes on after a restart: behind the address released last, or the highest in use.
    /// </summary>
    private Address? NewestOf(NetworkId network, List<Prefix> blocks)
    {
        bool Inside((NetworkId Network, Address Address) each) =>
            each.Network == network && blocks.Exists(block => block.Contains(each.Address));
        Address? newest = null;
        long latest = long.MinValue;
        foreach ((var key, long released) in resting)
        {
            if (Inside(key) && released >= latest)
            {
                newest = key.Address;
                latest = released;
            }
        }

        return newest ?? used.Where(Inside).Select(each => (Address?)each.Address).LastOrDefault();
    }

    private Refusal SegmentUnknown(NetworkId network, int segment, bool ipv6) =>
        networks.TryGetValue(network, out NetworkObject? known)
            ? new(
                RefusalKind.Invalid,
                $"No address of network {Refusal.Quote(known.Name)} was given.",
                $"Its segment {segment} has no {(ipv6 ? "IPv6" : "IPv4")} subnet.",
                $"Type `overlayd network inspect {known.Name}` to see its subnets.")
            : new(
                RefusalKind.NotFound,
                "No address was given.",
                $"This node knows no network {network}.",
                "Type `overlayd network ls` to see the networks.");

    /// <summary>The finalizer of SplitMix64: near node ids begin far from each other.</summary>
    private static ulong Scatter(ulong value)
    {
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }
}
