using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// Published ports of this host: those of services that have backends here, which are found as in names, and those of all nodes.
/// </summary>
public sealed partial class Node
{
    /// <param name="nodes">Of ports of all nodes.</param>
    private ImmutableArray<HostPort> HostPorts(ILookup<ServiceId, MeshNode> nodes)
    {
        ILookup<ServiceId, EndpointState> backends = PortBackends();
        bool drained = IsDrained(Id);
        EndpointState? ingress = IngressEndpoint;
        return
        [
            .. intent.Services.Where(static s => s.Ports.Count > 0)
                .SelectMany(s => s.Ports.Where(IsHere).Select(p => PortOf(s, p, backends[ServiceId.Parse(s.Id)], nodes[ServiceId.Parse(s.Id)], ingress)))
                .Where(p => p.Families != IpFamilies.None && (p.IsMesh || (!p.Backends.IsEmpty && !drained))),
        ];
    }

    private bool HasIpv6Ports() =>
        intent.Services.Any(s => s.Ports.Any(p => IsHere(p) && FamiliesOf(p, IngressEndpoint?.Ipv6 is not null).HasFlag(IpFamilies.Ipv6)));

    private ImmutableArray<PortSandbox> PortSandboxes() =>
    [
        .. endpoints.Values.Where(static e => e is { Service: not null, GatewaySlot: > 0, Status: not EndpointStatus.Failed })
            .Select(e => (e.Sandbox, Ports: ServiceOf(e.Network, e.Service)?.Ports)).Where(static e => e.Ports is { Count: > 0 })
            .GroupBy(static e => e.Sandbox, static e => e.Ports!)
            .Select(static its => new PortSandbox(
                its.Key,
                OfHost: its.Any(static ports => ports.Any(static p => p.Mode == PublishMode.Host)),
                OfMesh: its.Any(static ports => ports.Any(static p => p.Mode == PublishMode.Ingress)))),
    ];

    private ILookup<ServiceId, EndpointState> PortBackends() =>
        endpoints.Values.Where(IsPortBackend).ToLookup(static e => e.Service!.Value);

    private static bool IsPortBackend(EndpointState endpoint) =>
        endpoint is { Service: not null, GatewaySlot: > 0, Status: not EndpointStatus.Failed } && IsServing(endpoint.Health);

    private HostPort PortOf(
        ServiceObject service, PublishedPort port, IEnumerable<EndpointState> backends, IEnumerable<MeshNode> nodes, EndpointState? ingress)
    {
        bool mesh = port.Mode == PublishMode.Ingress;
        return new()
        {
            Service = service.Name,
            Protocol = port.Protocol,
            Published = (int)port.Published,
            Target = (int)port.Target,
            Address = port.Address.Length == 0 ? null : IPAddress.Parse(port.Address),
            Interface = port.Interface,
            Scheduler = service.Scheduler,
            Flows = FlowsOf(service),
            TranslatesSource = service.TranslatesSource,
            Families = FamiliesOf(port, meshHasIpv6: ingress?.Ipv6 is not null),
            IsMesh = mesh,
            Backends = mesh ? [] : BackendsOf(service, backends),
            Nodes = mesh ? [.. Near(service.Locality, nodes, n => n.Address.Equals(ingress?.Ipv4))] : [],
        };
    }

    /// <summary>Both, where it is not one address's; a port of all nodes by IPv6 only where the network between them has it.</summary>
    private static IpFamilies FamiliesOf(PublishedPort port, bool meshHasIpv6)
    {
        IpFamilies asked = port.Address.Length == 0 ? IpFamilies.Ipv4 | IpFamilies.Ipv6
            : port.Address.Contains(':', StringComparison.Ordinal) ? IpFamilies.Ipv6
            : IpFamilies.Ipv4;
        return port.Mode == PublishMode.Ingress && !meshHasIpv6 ? asked & ~IpFamilies.Ipv6 : asked;
    }

    private ImmutableArray<PortBackend> BackendsOf(ServiceObject service, IEnumerable<EndpointState> backends) =>
    [
        .. backends.Where(e => e.Network.ToString() == service.NetworkId).OrderBy(static e => e.Id)
            .Select(e => new PortBackend(e.Sandbox, Math.Max(1, WeightOf(e)))),
    ];

    private bool IsHere(PublishedPort port)
    {
        if (port.Mode is not (PublishMode.Host or PublishMode.Ingress) || port.NodeLabel.Length == 0)
        {
            return port.Mode is PublishMode.Host or PublishMode.Ingress;
        }

        string[] words = port.NodeLabel.Split('=', 2);
        return intent.Node(Id.ToString()) is { } self && self.Labels.TryGetValue(words[0], out string? value)
            && (words.Length == 1 || words[1] == value);
    }
}
