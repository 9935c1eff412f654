using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// Services: intent says which there are, and on which network; who is a backend, its owner says. An endpoint whose
/// service is unknown here, or of another network, is in no service's name.
/// </summary>
public sealed partial class Node
{
    /// <summary>What a service's backends alone are called, whatever its own name answers with.</summary>
    private const string TasksPrefix = "tasks.";

    /// <summary>Whose backend an endpoint of that network is; null: of none.</summary>
    public ServiceObject? ServiceOf(NetworkId network, ServiceId? service) =>
        service is { } id && intent.Service(id.ToString()) is { } known && known.NetworkId == network.ToString() ? known : null;

    /// <summary>An endpoint in its network's zone, and whose backend it is.</summary>
    private sealed record NamedEndpoint(ZoneBackend Backend, ServiceObject? Service);

    private NamedEndpoint NamedOn(NetworkId network, FoundEndpoint found)
    {
        ServiceObject? service = ServiceOf(network, found.Service);
        ZoneEndpoint endpoint = new(NamesOf(found, service), found.Ipv4, found.Ipv6);
        return new(new(endpoint, (ushort)Math.Clamp(found.Weight, 1, ushort.MaxValue)), service);
    }

    /// <summary>
    /// An endpoint's names in its network's zone: its own, which its address leads back to, is the first. The name of a
    /// service with a virtual address leads there.
    /// </summary>
    private static ImmutableArray<string> NamesOf(FoundEndpoint found, ServiceObject? service) => service switch
    {
        null => [found.Name, .. found.Aliases],
        { VirtualAddresses.Count: > 0 } => [found.Name, .. found.Aliases, TasksPrefix + service.Name],
        _ => [found.Name, .. found.Aliases, service.Name, TasksPrefix + service.Name],
    };

    /// <summary>A network's services that have a name now: those with backends, and those with a virtual address.</summary>
    private static ImmutableArray<ZoneService> ServicesIn(NamedEndpoint[] found, ServiceObject[] balanced)
    {
        ILookup<string, NamedEndpoint> backends = found.Where(static e => e.Service is not null)
            .ToLookup(static e => e.Service!.Id, StringComparer.Ordinal);
        return
        [
            .. backends.Select(static its => new ZoneService(
                [its.First().Service!.Name, TasksPrefix + its.First().Service!.Name],
                PortsOf(its.First().Service!),
                [.. its.Select(static e => e.Backend)])),
            .. balanced.Where(s => !backends.Contains(s.Id)).Select(static s => new ZoneService([s.Name], PortsOf(s), [])),
        ];
    }

    /// <summary>Where a service's backends listen: what it publishes says so, whichever nodes that is published on.</summary>
    private static ImmutableArray<ServicePort> PortsOf(ServiceObject service) =>
    [
        .. service.Ports.Where(static p => p.Protocol is PortProtocol.Tcp or PortProtocol.Udp or PortProtocol.Sctp)
            .Select(static p => new ServicePort(TransportOf(p.Protocol), (ushort)p.Target)).Distinct(),
    ];

    private static TransportProtocol TransportOf(PortProtocol protocol) => protocol switch
    {
        PortProtocol.Udp => TransportProtocol.Udp,
        PortProtocol.Sctp => TransportProtocol.Sctp,
        _ => TransportProtocol.Tcp,
    };

    /// <summary>The services of a network that have a virtual address.</summary>
    private IEnumerable<ServiceObject> VirtualOn(NetworkId network)
    {
        string id = network.ToString();
        return intent.Services.Where(s => s.VirtualAddresses.Count > 0 && s.NetworkId == id);
    }

    private static IPAddress? AddressOf(ServiceObject service, bool ipv6) => service.VirtualAddresses.Select(IPAddress.Parse)
        .FirstOrDefault(a => a.AddressFamily == (ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork));

    /// <summary>What sandboxes balance: the services with their backends, which are those of their names.</summary>
    private IEnumerable<VirtualService> BalancedOn(NetworkId network)
    {
        ServiceObject[] services = [.. VirtualOn(network)];
        if (services.Length == 0)
        {
            return [];
        }

        ILookup<ServiceId?, FoundEndpoint> backends = FoundOn(network).ToLookup(static e => e.Service);
        return services.Select(service => new VirtualService
        {
            Network = network,
            Name = service.Name,
            Ipv4 = AddressOf(service, ipv6: false),
            Ipv6 = AddressOf(service, ipv6: true),
            Scheduler = service.Scheduler,
            Flows = FlowsOf(service),
            Backends =
            [
                .. Near(service.Locality, backends[ServiceId.Parse(service.Id)], static e => e.IsHere)
                    .Select(static e => new ServiceBackend(e.Ipv4, e.Ipv6, Math.Max(1, e.Weight))),
            ],
        });
    }

    private static FlowPolicy FlowsOf(ServiceObject service) => new(
        TimeSpan.FromMilliseconds(service.StickyMs), TimeSpan.FromMilliseconds(service.Timeouts?.TcpMs ?? 0),
        TimeSpan.FromMilliseconds(service.Timeouts?.TcpFinMs ?? 0), TimeSpan.FromMilliseconds(service.Timeouts?.UdpMs ?? 0));

    /// <summary>Those that a client of this node may get.</summary>
    private static IEnumerable<T> Near<T>(Locality locality, IEnumerable<T> all, Func<T, bool> isHere) => locality switch
    {
        Locality.Require => all.Where(isHere),
        Locality.Prefer when all.Any(isHere) => all.Where(isHere),
        _ => all,
    };

    /// <summary>Whether sandboxes, or a published port, balance over this endpoint, as long as it may be sent to.</summary>
    private bool IsBalanced(EndpointState endpoint) =>
        ServiceOf(endpoint.Network, endpoint.Service) is { VirtualAddresses.Count: > 0 } or { Ports.Count: > 0 };

    /// <summary>Finds the service that an attach names.</summary>
    private Refusal? PrepareService(PendingAttach attach, NetworkObject network, string what)
    {
        AttachCommand command = attach.Command;
        if (command.Service.Length == 0)
        {
            return null;
        }

        if (!intent.FindService(command.Service).TryGet(out ServiceObject? service, out Refusal? unknown))
        {
            return unknown.Kind != RefusalKind.NotFound || !ServiceSpec.IsName(command.Service)
                ? unknown
                : unknown with
                {
                    Next = $"Type `overlayd service create {command.Service} --network {network.Name}` on a manager, "
                        + "or `overlayd service ls` to see the names.",
                };
        }

        if (service.NetworkId != network.Id)
        {
            string home = intent.Network(service.NetworkId)?.Name ?? service.NetworkId;
            return new(
                RefusalKind.Conflict, what, $"Service {service.Name} is on network {home}.",
                $"Attach to {home}, or make a service of another name on {network.Name} with `overlayd service create`.");
        }

        ServiceId id = ServiceId.Parse(service.Id);
        if (attach.Service is { } before && before != id)
        {
            return new(RefusalKind.Conflict, what, "The service was removed and made anew meanwhile.", "Attach again.");
        }

        attach.Service = id;
        return null;
    }

    /// <summary>The name of a service means its backends, and of them all.</summary>
    private Refusal? ServiceNameFault(string name, NetworkObject network, string what) =>
        intent.ServiceNamed(name) is { } service && service.NetworkId == network.Id
            ? new(
                RefusalKind.Conflict, what, $"Service {service.Name} of {network.Name} has that name.",
                $"Choose another with `--name`; with `--service {service.Name}` it answers to the service's, too.")
            : null;

    /// <summary>Services that come and go with an assignment, as far as is known before it is applied.</summary>
    private List<NodeEvent.ServiceChanged> ServiceNews(Assignment assignment)
    {
        IEnumerable<ServiceObject> gone = assignment.Deletes.Where(IsService).Select(d => intent.Service(d.Id)).OfType<ServiceObject>();
        if (assignment.Complete)
        {
            SortedSet<string> told = new(assignment.Upserts.Where(IsService).Select(static u => u.Service.Id), StringComparer.Ordinal);
            gone = intent.Services.Where(s => !told.Contains(s.Id));
        }

        return
        [
            .. gone.Select(static s => NewsOf(s, "remove")),
            .. assignment.Upserts.Where(u => IsService(u) && intent.Service(u.Service.Id) is null && ServiceId.TryParse(u.Service.Id, out _))
                .Select(static u => NewsOf(u.Service, "create")),
        ];
    }

    private static NodeEvent.ServiceChanged NewsOf(ServiceObject service, string action) =>
        new(ServiceId.Parse(service.Id), service.Name, action);

    /// <summary>Services alone change, and none that sandboxes here balance: names follow from them, and nothing in the kernel.</summary>
    /// <param name="assignment">Before it is applied.</param>
    private bool ConcernsNamesAlone(Assignment assignment) =>
        assignment is { Complete: false, Cluster: null } && assignment.Upserts.All(IsService) && assignment.Deletes.All(IsService)
        && !assignment.Upserts.Select(static u => u.Service).Concat(assignment.Deletes.Select(d => intent.Service(d.Id)))
            .Concat(assignment.Upserts.Select(u => intent.Service(u.Service.Id)))
            .Any(s => (s is { VirtualAddresses.Count: > 0 } or { Ports.Count: > 0 } && endpoints.Values.Any(e => e.Network.ToString() == s.NetworkId))
                || s?.Ports.Any(static p => p.Mode == PublishMode.Ingress) == true);

    private static bool IsService(StoreObject item) => item.KindCase == StoreObject.KindOneofCase.Service;

    private static bool IsService(ObjectRef gone) => gone.Kind == ObjectKind.Service;
}
