using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>Published ports of this host: those of services that have backends here, which are found as in names.</summary>
public sealed partial class Node
{
    private ImmutableArray<HostPort> HostPorts()
    {
        if (IsDrained(Id))
        {
            return [];
        }

        ILookup<ServiceId, EndpointState> backends = endpoints.Values
            .Where(e => e.Service is not null && e.GatewaySlot > 0 && e.Status != EndpointStatus.Failed && IsServing(e.Health))
            .ToLookup(static e => e.Service!.Value);
        return
        [
            .. intent.Services.Where(s => s.Ports.Count > 0 && backends[ServiceId.Parse(s.Id)].Any())
                .SelectMany(s => s.Ports.Where(IsHere).Select(p => PortOf(s, p, backends[ServiceId.Parse(s.Id)])))
                .Where(static p => !p.Backends.IsEmpty),
        ];
    }

    private static HostPort PortOf(ServiceObject service, PublishedPort port, IEnumerable<EndpointState> backends) => new()
    {
        Service = service.Name,
        Protocol = port.Protocol,
        Published = (int)port.Published,
        Target = (int)port.Target,
        Address = port.Address.Length == 0 ? null : IPAddress.Parse(port.Address),
        Interface = port.Interface,
        Scheduler = service.Scheduler,
        Backends =
        [
            .. backends.Where(e => e.Network.ToString() == service.NetworkId).OrderBy(static e => e.Id)
                .Select(static e => new PortBackend(e.Sandbox, Math.Max(1, e.Weight))),
        ],
    };

    private bool IsHere(PublishedPort port)
    {
        if (port.Mode != PublishMode.Host || port.NodeLabel.Length == 0)
        {
            return port.Mode == PublishMode.Host;
        }

        string[] words = port.NodeLabel.Split('=', 2);
        return intent.Node(Id.ToString()) is { } self && self.Labels.TryGetValue(words[0], out string? value)
            && (words.Length == 1 || words[1] == value);
    }
}
