using System.Collections.Immutable;
using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// The network that nodes pass clients of published ports over, to backends of others. A cluster has one at most; it comes with
/// the first port that all nodes publish, unless an operator made it before.
/// </summary>
internal static class IngressNetwork
{
    private const string Name = "ingress";

    /// <summary>Room for the most nodes of a cluster, in the pool's half that blocks are cut from.</summary>
    private const int SubnetLength = 17;

    /// <summary>Nodes are told apart by their addresses' last 16 bits.</summary>
    private const int ShortestSubnet = 16;

    public static NetworkObject? Of(ClusterState state) => state.Networks.FirstOrDefault(static n => n.Ingress);

    /// <summary>Makes it where one of the ports needs it and it is not there.</summary>
    /// <param name="id">Of the network that is made; the caller's, as all ids.</param>
    public static Refusal? Ensure(ClusterState state, IEnumerable<PublishedPort> ports, string id, string what, Draft draft)
    {
        if (Of(state) is not null || !ports.Any(static p => p.Mode == PublishMode.Ingress))
        {
            return null;
        }

        NetworkSpec spec = new() { Id = id, Name = Name, Ingress = true, Ipv6 = true, PreferredSubnetLength = SubnetLength };
        Outcome<Proposal<NetworkObject>> made = NetworkChanges.Create(state, spec, draft);
        return made.Refusal is not { } refusal
            ? null
            : refusal with
            {
                What = what,
                Why = $"Ports of all nodes need a network between them, which cannot be made: {refusal.Why}",
                Next = "Make it yourself, with `overlayd network create --ingress ingress` and a `--subnet` of yours; or publish with mode=host.",
            };
    }

    /// <summary>What a network of this kind may not be.</summary>
    public static Refusal? Fault(ClusterState state, NetworkSpec spec, ImmutableArray<Segment> segments, string what)
    {
        if (!spec.Ingress)
        {
            return null;
        }

        if (Of(state) is { } other)
        {
            return new(
                RefusalKind.Conflict, what, $"Network {other.Name} carries the published ports, and a cluster has one of that kind.",
                $"Type `overlayd network rm {other.Name}` first; while services publish ports of all nodes it stays.");
        }

        string? why =
            spec.Attachable ? "It is for published ports alone, and no container is attached to it."
            : segments is not [{ Ipv4.Subnet: var subnet }] ? "It has one IPv4 subnet, and one of IPv6 besides if clients come by that."
            : Prefix.Parse(subnet).Length < ShortestSubnet ? $"Its subnet {subnet} is larger than a /{ShortestSubnet}."
            : null;
        return why is null ? null : new(RefusalKind.Invalid, what, why, "Write it like `overlayd network create --ingress --subnet 10.200.0.0/18 ingress`.");
    }

    /// <summary>The services whose ports go over this network, as far as they keep it from being removed.</summary>
    public static IEnumerable<ServiceObject> UsersOf(ClusterState state, NetworkObject network) =>
        network.Ingress ? state.Services.Where(static s => s.Ports.Any(static p => p.Mode == PublishMode.Ingress)) : [];
}
