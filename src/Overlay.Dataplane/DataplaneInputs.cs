using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>All that <c>Desired.For</c> needs to know: this node's part of intent and presence.</summary>
public sealed record DataplaneInputs
{
    /// <summary>This node's VTEP address.</summary>
    public required IPAddress Vtep { get; init; }

    /// <summary>MTU of the route that VXLAN packets leave by.</summary>
    public required int UnderlayMtu { get; init; }

    public required int VxlanPort { get; init; }

    /// <summary>The networks that have an endpoint on this node.</summary>
    public ImmutableArray<OverlayNetwork> Networks { get; init; } = [];

    /// <summary>Endpoints of this node.</summary>
    public ImmutableArray<LocalEndpoint> Endpoints { get; init; } = [];

    /// <summary>Reachable endpoints of other nodes on those networks.</summary>
    public ImmutableArray<RemoteEndpoint> Remotes { get; init; } = [];

    /// <summary>What sandboxes balance their own flows by.</summary>
    public LoadBalancer LoadBalancer { get; init; }

    /// <summary>The services of those networks that have virtual addresses.</summary>
    public ImmutableArray<VirtualService> Services { get; init; } = [];

    /// <summary>Ports of this host that lead to backends here, or by the mesh to those of any node.</summary>
    public ImmutableArray<HostPort> Ports { get; init; } = [];

    /// <summary>What the mesh brings here, by any node's ports.</summary>
    public ImmutableArray<MeshPort> MeshPorts { get; init; } = [];

    /// <summary>
    /// Those with backends of published ports, whether they count now or not: a connection that was begun goes on, also where its
    /// backend is ill or its node drained.
    /// </summary>
    public ImmutableArray<PortSandbox> PortSandboxes { get; init; } = [];

    /// <summary>Ports of this host are for clients by IPv6, too, whether they have a backend now or not.</summary>
    public bool HasIpv6Ports { get; init; }

    /// <summary>Sandboxes whose last endpoint went: what is ours in them goes.</summary>
    public ImmutableArray<NamespaceName> LeftSandboxes { get; init; } = [];

    /// <summary>IPv4 prefix of the gateway bridge, chosen so that it overlaps no route of the host.</summary>
    public required IPNetwork GatewayPrefix { get; init; }
}

public sealed record OverlayNetwork
{
    public required NetworkId Id { get; init; }

    public required string Name { get; init; }

    public bool Internal { get; init; }

    /// <summary>Bytes inside the overlay; 0: from the underlay.</summary>
    public int Mtu { get; init; }

    public required ImmutableArray<OverlaySegment> Segments { get; init; }
}

/// <summary>One broadcast domain; the n-th has br{n} and vxlan{n}.</summary>
public sealed record OverlaySegment(
    Vni Vni, IPNetwork? Subnet4, IPAddress? Gateway4, IPNetwork? Subnet6, IPAddress? Gateway6);

public sealed record LocalEndpoint
{
    public required EndpointId Id { get; init; }

    public required NetworkId Network { get; init; }

    public required int Segment { get; init; }

    public required NamespaceName Sandbox { get; init; }

    public required string Interface { get; init; }

    public required MacAddress Mac { get; init; }

    public IPAddress? Ipv4 { get; init; }

    public IPAddress? Ipv6 { get; init; }

    /// <summary>
    /// Its place on the node's gateway bridge: the offset of the sandbox's address in
    /// <see cref="DataplaneInputs.GatewayPrefix"/>, the same for all endpoints of one sandbox; 0: none (internal only).
    /// </summary>
    public int GatewaySlot { get; init; }
}

public sealed record RemoteEndpoint(
    NetworkId Network, int Segment, MacAddress Mac, IPAddress? Ipv4, IPAddress? Ipv6, IPAddress Vtep);

/// <summary>What a network's sandboxes translate a service's virtual addresses to.</summary>
public sealed record VirtualService
{
    public required NetworkId Network { get; init; }

    /// <summary>A DNS label, which no other service has.</summary>
    public required string Name { get; init; }

    public IPAddress? Ipv4 { get; init; }

    public IPAddress? Ipv6 { get; init; }

    /// <summary>Unspecified or unknown: by weight.</summary>
    public Scheduler Scheduler { get; init; }

    /// <summary>How long clients and flows are remembered.</summary>
    public FlowPolicy Flows { get; init; }

    /// <summary>Those that count now, wherever they are.</summary>
    public ImmutableArray<ServiceBackend> Backends { get; init; } = [];
}

/// <summary>A port of this host that a service publishes.</summary>
public sealed record HostPort
{
    /// <summary>A DNS label, which no other service has.</summary>
    public required string Service { get; init; }

    public required PortProtocol Protocol { get; init; }

    /// <summary>What clients connect to.</summary>
    public required int Published { get; init; }

    /// <summary>Where the backends listen.</summary>
    public required int Target { get; init; }

    /// <summary>The one address of the host that it is published on; null: on all.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>The one interface that clients come by; empty: any.</summary>
    public string Interface { get; init; } = "";

    /// <summary>Unspecified or unknown: by weight.</summary>
    public Scheduler Scheduler { get; init; }

    /// <summary>How long clients and flows are remembered.</summary>
    public FlowPolicy Flows { get; init; }

    /// <summary>Backends see an address of their node instead of the client's.</summary>
    public bool TranslatesSource { get; init; }

    /// <summary>The clients that it is for.</summary>
    public IpFamilies Families { get; init; } = IpFamilies.Ipv4;

    /// <summary>A port of all nodes: clients go to <see cref="Nodes"/>, and not to <see cref="Backends"/>.</summary>
    public bool IsMesh { get; init; }

    /// <summary>Those of this node that count now; without one the port is nobody's.</summary>
    public ImmutableArray<PortBackend> Backends { get; init; } = [];

    /// <summary>The nodes that have backends, this one among them; without one the port is closed.</summary>
    public ImmutableArray<MeshNode> Nodes { get; init; } = [];

    /// <summary>What no other program of the host may have: one for each of the families.</summary>
    public IEnumerable<PortClaim> Claims
    {
        get
        {
            if (Families.HasFlag(IpFamilies.Ipv4))
            {
                yield return new(PublishedPorts.NumberOf(Protocol), Address ?? IPAddress.Any, Published);
            }

            if (Families.HasFlag(IpFamilies.Ipv6))
            {
                yield return new(PublishedPorts.NumberOf(Protocol), Address ?? IPAddress.IPv6Any, Published);
            }
        }
    }
}

/// <summary>By which protocols clients come.</summary>
[Flags]
public enum IpFamilies
{
    None = 0,
    Ipv4 = 1,
    Ipv6 = 2,
}

/// <summary>A port of all nodes, at a node's address on the ingress network: no other service has its number.</summary>
public sealed record MeshPort
{
    /// <summary>A DNS label, which no other service has.</summary>
    public required string Service { get; init; }

    public required PortProtocol Protocol { get; init; }

    /// <summary>What clients connect to.</summary>
    public required int Published { get; init; }

    /// <summary>Where the backends listen.</summary>
    public required int Target { get; init; }

    /// <summary>Unspecified or unknown: by weight.</summary>
    public Scheduler Scheduler { get; init; }

    /// <summary>How long clients and flows are remembered.</summary>
    public FlowPolicy Flows { get; init; }

    /// <summary>Backends see an address of their node instead of the client's.</summary>
    public bool TranslatesSource { get; init; }

    /// <summary>Those of this node that count now.</summary>
    public ImmutableArray<PortBackend> Backends { get; init; } = [];

    /// <summary>Other nodes that have backends: who comes here where there is none goes on to one of those.</summary>
    public ImmutableArray<MeshNode> Elsewhere { get; init; } = [];
}

/// <summary>A node that has backends of a port of all nodes.</summary>
/// <param name="Address">On the ingress network; IPv4.</param>
/// <param name="Weight">1 to 65535, of all its backends together.</param>
/// <param name="Ipv6">On the ingress network, where that has IPv6.</param>
public sealed record MeshNode(IPAddress Address, int Weight, IPAddress? Ipv6 = null);

/// <param name="Protocol">IPPROTO_….</param>
/// <param name="Address">0.0.0.0 or ::, which means IPv6 alone: all of the host's.</param>
public sealed record PortClaim(byte Protocol, IPAddress Address, int Port)
{
    /// <summary>The one that it is of.</summary>
    public IpFamilies Families => Address.AddressFamily == AddressFamily.InterNetworkV6 ? IpFamilies.Ipv6 : IpFamilies.Ipv4;
}

/// <summary>A sandbox with backends of published ports.</summary>
/// <param name="OfHost">Of ports of this host.</param>
/// <param name="OfMesh">Of ports of all nodes.</param>
public sealed record PortSandbox(NamespaceName Name, bool OfHost, bool OfMesh);

/// <param name="Weight">1 to 65535.</param>
public sealed record PortBackend(NamespaceName Sandbox, int Weight);

/// <param name="Weight">1 to 65535.</param>
public sealed record ServiceBackend(IPAddress? Ipv4, IPAddress? Ipv6, int Weight);
