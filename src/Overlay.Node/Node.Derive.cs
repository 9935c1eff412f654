using System.Collections.Immutable;
using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What follows from intent and presence: the data plane's inputs and the zones.</summary>
public sealed partial class Node
{
    /// <summary>This node's part of intent and presence, from which the data plane is derived.</summary>
    public DataplaneInputs Inputs()
    {
        SortedSet<NetworkId> local = [.. endpoints.Values.Select(static e => e.Network)];
        ImmutableArray<OverlayNetwork>.Builder networks = ImmutableArray.CreateBuilder<OverlayNetwork>();
        ImmutableArray<RemoteEndpoint>.Builder reachable = ImmutableArray.CreateBuilder<RemoteEndpoint>();
        foreach (NetworkId id in local)
        {
            if (intent.Network(id.ToString()) is not { } network)
            {
                continue;
            }

            networks.Add(OverlayOf(id, network));
            foreach (RemoteEndpointRecord remote in RemotesOn(id))
            {
                // The owner's VTEP is the manager's word; an owner that is not assigned yet waits for it.
                if (intent.Node(remote.Owner.ToString()) is { } owner
                    && IPAddress.TryParse(owner.DataPathAddress, out IPAddress? vtep))
                {
                    reachable.Add(new(id, remote.Segment, remote.Mac, remote.Ipv4, remote.Ipv6, vtep));
                }
            }
        }

        ILookup<ServiceId, MeshNode> mesh = MeshNodes();
        return new()
        {
            Vtep = settings.Vtep,
            UnderlayMtu = settings.UnderlayMtu,
            VxlanPort = (int)(intent.Cluster?.VxlanPort ?? 4789),
            GatewayPrefix = settings.GatewayPrefix,
            LoadBalancer = settings.LoadBalancer,
            Networks = networks.ToImmutable(),
            Remotes = reachable.ToImmutable(),
            Services = [.. local.SelectMany(BalancedOn)],
            Ports = HostPorts(mesh),
            MeshPorts = MeshPorts(mesh),
            PortSandboxes = PortSandboxes(),
            HasIpv6Ports = HasIpv6Ports(),
            LeftSandboxes = [.. leftSandboxes.Keys],
            Endpoints = [.. endpoints.Values.Where(e => intent.Network(e.Network.ToString()) is not null).Select(LocalOf)],
        };
    }

    /// <summary>The zones that each sandbox of this node sees, in the order it was attached.</summary>
    public ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>> SandboxZones()
    {
        SortedDictionary<NetworkId, Zone> zones = [];
        ImmutableSortedDictionary<NamespaceName, ImmutableArray<Zone>>.Builder bySandbox =
            ImmutableSortedDictionary.CreateBuilder<NamespaceName, ImmutableArray<Zone>>();
        foreach (EndpointState endpoint in endpoints.Values.OrderBy(static e => e.CreatedUnixMs).ThenBy(static e => e.Id))
        {
            // A resolver needs the loopback up, which comes with the first programming.
            if (endpoint.Status != EndpointStatus.Ready || endpoint.Sandbox.IsOverlay || intent.Network(endpoint.Network.ToString()) is not { } network)
            {
                continue;
            }

            if (!zones.TryGetValue(endpoint.Network, out Zone? zone))
            {
                zones[endpoint.Network] = zone = ZoneOf(endpoint.Network, network.Name);
            }

            ImmutableArray<Zone> before = bySandbox.GetValueOrDefault(endpoint.Sandbox, []);
            bySandbox[endpoint.Sandbox] = [.. before, zone];
        }

        return bySandbox.ToImmutable();
    }

    /// <summary>What a drained node has is reachable still, and no longer found.</summary>
    private Zone ZoneOf(NetworkId id, string name)
    {
        NamedEndpoint[] found = [.. FoundOn(id).Select(e => NamedOn(id, e))];
        ServiceObject[] balanced = [.. VirtualOn(id)];
        return new()
        {
            Network = id,
            Name = name,
            Endpoints =
            [
                .. found.Select(static e => e.Backend.Endpoint),
                .. balanced.Select(static s => new ZoneEndpoint([s.Name], AddressOf(s, ipv6: false), AddressOf(s, ipv6: true))),
            ],
            Services = ServicesIn(found, balanced),
        };
    }

    /// <summary>The endpoints of a network that names lead to, of this node first; services only to those that are well.</summary>
    private IEnumerable<FoundEndpoint> FoundOn(NetworkId id) =>
        endpoints.Values.Where(e => e.Network == id && e.Status != EndpointStatus.Failed && !IsDrained(Id))
            .Select(e => new FoundEndpoint(e.Name, e.Aliases, IsServing(e.Health) ? e.Service : null, WeightOf(e), e.Ipv4, e.Ipv6) { IsHere = true })
            .Concat(RemotesOn(id).Where(r => !r.IsWithdrawn && !IsDrained(r.Owner))
                .Select(static r => new FoundEndpoint(r.Name, r.Aliases, IsServing(r.Health) ? r.Service : null, r.Weight, r.Ipv4, r.Ipv6)));

    /// <summary>An endpoint of this node or another that may be sent to.</summary>
    private sealed record FoundEndpoint(
        string Name, ImmutableArray<string> Aliases, ServiceId? Service, int Weight, IPAddress? Ipv4, IPAddress? Ipv6)
    {
        public bool IsHere { get; init; }
    }

    private bool IsDrained(NodeId node) => (isLeaving && node == Id) || Availability.IsDrained(intent.Node(node.ToString()));

    private static OverlayNetwork OverlayOf(NetworkId id, NetworkObject network) => new()
    {
        Id = id,
        Name = network.Name,
        Internal = network.Internal,
        Mtu = (int)network.Mtu,
        Segments =
        [
            .. network.Segments.Select(static s => new OverlaySegment(
                new(s.Vni), PrefixOf(s.Ipv4), GatewayOf(s.Ipv4), PrefixOf(s.Ipv6), GatewayOf(s.Ipv6))),
        ],
    };

    private static LocalEndpoint LocalOf(EndpointState endpoint) => new()
    {
        Id = endpoint.Id,
        Network = endpoint.Network,
        Segment = endpoint.Segment,
        Sandbox = endpoint.Sandbox,
        Interface = endpoint.Interface,
        Mac = endpoint.Mac,
        Ipv4 = endpoint.Ipv4,
        Ipv6 = endpoint.Ipv6,
        GatewaySlot = endpoint.GatewaySlot,
    };

    private static IPNetwork? PrefixOf(AddressRange? range) => range is null ? null : IPNetwork.Parse(range.Subnet);

    private static IPAddress? GatewayOf(AddressRange? range) => range is null ? null : IPAddress.Parse(range.Gateway);
}
