using System.Collections.Immutable;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
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

    /// <summary>An endpoint's names in its network's zone: its own, which its address leads back to, is the first.</summary>
    private ImmutableArray<string> NamesOf(NetworkId network, string name, ImmutableArray<string> aliases, ServiceId? service) =>
        ServiceOf(network, service) is { } its
            ? [name, .. aliases, its.Name, TasksPrefix + its.Name]
            : [name, .. aliases];

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
                    Next = $"Type `overlayd service create {command.Service} --network {network.Name} --endpoint-mode dnsrr` on a "
                        + "manager, or `overlayd service ls` to see the names.",
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

    /// <summary>Services alone change: names follow from them, and nothing in the kernel.</summary>
    private static bool ConcernsNamesAlone(Assignment assignment) =>
        assignment is { Complete: false, Cluster: null } && assignment.Upserts.All(IsService) && assignment.Deletes.All(IsService);

    private static bool IsService(StoreObject item) => item.KindCase == StoreObject.KindOneofCase.Service;

    private static bool IsService(ObjectRef gone) => gone.Kind == ObjectKind.Service;
}
