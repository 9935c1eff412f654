using System.Net;
using System.Security.Cryptography;
using System.Text;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// Who uses which addresses: networks, and what the hosts themselves can reach. A subnet on top of a host's route
/// would hide part of the world from that host's sandboxes.
/// </summary>
internal sealed class Occupancy
{
    /// <summary>
    /// The device of the node's own gateway bridge begins so; its prefix follows the networks, not they it.
    /// </summary>
    private const string OwnDevices = "ovg";

    /// <summary>A route this short is a default route, or the half of one that tunnels install.</summary>
    private const int LongestDefault = 1;

    private readonly List<Holder> holders = [];

    public Occupancy(ClusterState state)
    {
        foreach (NetworkObject network in state.Networks)
        {
            foreach (AddressRange range in RangesOf(network))
            {
                Prefix subnet = Prefix.Parse(range.Subnet);
                holders.Add(new(subnet, $"the subnet {subnet} of network {Refusal.Quote(network.Name)}"));
            }
        }

        foreach (NodeObject node in state.Nodes)
        {
            AddHost(node);
        }
    }

    /// <summary>Who has addresses of this prefix; null: nobody.</summary>
    public Holder? HolderOf(Prefix prefix) => holders.Find(holder => holder.Prefix.Overlaps(prefix));

    /// <summary>The first free subnet of that length inside a pool.</summary>
    public Prefix? Cut(Prefix pool, int length)
    {
        Prefix candidate = Prefix.Around(pool.First, length);
        while (HolderOf(candidate) is { } holder)
        {
            Address last = holder.Prefix.Last > candidate.Last ? holder.Prefix.Last : candidate.Last;
            if (last >= pool.Last)
            {
                return null;
            }

            candidate = Prefix.Around(new(pool.IsIpv6, last.Value + 1), length);
        }

        return candidate;
    }

    /// <summary>
    /// The cluster's own IPv6 pool: a unique local prefix (RFC 4193) of its id, the same on every manager.
    /// </summary>
    public static Prefix UniqueLocalPool(string clusterId)
    {
        byte[] hash = SHA256.HashData(Encoding.UTF8.GetBytes($"overlayd unique local prefix v1 {clusterId}"));
        UInt128 value = 0xfd;
        for (int i = 0; i < 5; i++)
        {
            value = (value << 8) | hash[i];
        }

        return new(new(true, value << 80), 48);
    }

    private static IEnumerable<AddressRange> RangesOf(NetworkObject network) => network.Segments
        .SelectMany(segment => new[] { segment.Ipv4, segment.Ipv6 })
        .Where(range => range is not null);

    private void AddHost(NodeObject node)
    {
        foreach (HostRoute route in node.Routes)
        {
            Prefix destination = Prefix.Parse(route.Destination);
            if (destination.Length > LongestDefault
                && !route.Device.StartsWith(OwnDevices, StringComparison.Ordinal))
            {
                holders.Add(new(
                    destination, $"the route {destination} on {Refusal.Quote(route.Device)} of host {node.Hostname}"));
            }
        }

        Address dataPath = Address.Parse(node.DataPathAddress);
        holders.Add(new(Host(dataPath), $"the data path address {dataPath} of host {node.Hostname}"));
        bool parsed = IPEndPoint.TryParse(node.GossipAddress, out IPEndPoint? gossip);
        Invariant.Holds(parsed && gossip is not null, "a node's addresses were checked when it was added");
        Address reached = Address.From(gossip.Address);
        holders.Add(new(Host(reached), $"the address {reached} of host {node.Hostname}"));
    }

    private static Prefix Host(Address address) => Prefix.Around(address, address.IsIpv6 ? 128 : 32);

    /// <param name="Name">Completes "it overlaps …".</param>
    internal sealed record Holder(Prefix Prefix, string Name);
}
