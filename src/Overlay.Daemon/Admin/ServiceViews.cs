using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How services are shown: intent's object with the endpoints that say they are its backends.</summary>
internal static class ServiceViews
{
    /// <summary>By network, then by name.</summary>
    public static ServiceView[] All(IEnumerable<ServiceObject> services, string network, Node.Node node)
    {
        NetworkObject? only = network.Length == 0 ? null : RefusalStatus.Require(node.Intent.FindNetwork(network));
        ServiceObject[] shown = [.. services.Where(s => only is null || s.NetworkId == only.Id)];
        SortedDictionary<string, List<BackendView>> backends = new(StringComparer.Ordinal);
        foreach (string id in shown.Select(static s => s.NetworkId).Distinct())
        {
            Collect(id, node, backends);
        }

        return
        [
            .. shown.Select(s => Of(s, node, backends))
                .OrderBy(static v => v.Network, StringComparer.Ordinal).ThenBy(static v => v.Service.Name, StringComparer.Ordinal),
        ];
    }

    public static ServiceView Of(ServiceObject service, Node.Node node)
    {
        SortedDictionary<string, List<BackendView>> backends = new(StringComparer.Ordinal);
        Collect(service.NetworkId, node, backends);
        return Of(service, node, backends);
    }

    private static ServiceView Of(ServiceObject service, Node.Node node, SortedDictionary<string, List<BackendView>> backends)
    {
        ServiceView view = new()
        {
            Service = service,
            Network = node.Intent.Network(service.NetworkId)?.Name ?? "",
        };
        if (backends.TryGetValue(service.Id, out List<BackendView>? own))
        {
            view.Backends.AddRange(own.OrderBy(static b => b.Name, StringComparer.Ordinal).ThenBy(static b => b.EndpointId, StringComparer.Ordinal));
        }

        return view;
    }

    /// <summary>The backends on one network, by the id of their service.</summary>
    private static void Collect(string network, Node.Node node, SortedDictionary<string, List<BackendView>> backends)
    {
        if (!NetworkId.TryParse(network, out NetworkId id))
        {
            return;
        }

        NetworkObject? known = node.Intent.Network(network);
        foreach (EndpointState endpoint in node.Endpoints.Where(e => e.Network == id && e.Service is not null))
        {
            string state = endpoint.Status == EndpointStatus.Failed || Node.Node.IsServing(endpoint.Health)
                ? endpoint.Status.ToString().ToLowerInvariant()
                : Node.Node.HealthText(endpoint.Health);
            Add(endpoint.Service!.Value, new()
            {
                EndpointId = endpoint.Id.ToString(),
                Name = endpoint.Name,
                Ipv4 = EndpointViews.WithPrefix(endpoint.Ipv4, known, endpoint.Segment),
                Ipv6 = EndpointViews.WithPrefix(endpoint.Ipv6, known, endpoint.Segment),
                State = state,
                Weight = (uint)Math.Max(1, node.WeightOf(endpoint)),
                InNames = endpoint.Status != EndpointStatus.Failed && Node.Node.IsServing(endpoint.Health),
                HealthReason = endpoint.HealthReason,
            }, node.Id);
        }

        foreach (RemoteEndpointRecord remote in node.RemotesOn(id).Where(static r => r.Service is not null))
        {
            Add(remote.Service!.Value, new()
            {
                EndpointId = remote.Id.ToString(),
                Name = remote.Name,
                Ipv4 = EndpointViews.WithPrefix(remote.Ipv4, known, remote.Segment),
                Ipv6 = EndpointViews.WithPrefix(remote.Ipv6, known, remote.Segment),
                State = Node.Node.IsServing(remote.Health) ? "ready" : Node.Node.HealthText(remote.Health),
                Weight = (uint)Math.Max(1, remote.Weight),
                InNames = Node.Node.IsServing(remote.Health),
            }, remote.Owner, remote.IsWithdrawn);
        }

        void Add(ServiceId service, BackendView backend, NodeId owner, bool isWithdrawn = false)
        {
            NodeObject? home = node.Intent.Node(owner.ToString());
            backend.NodeId = owner.ToString();
            backend.Node = home?.Hostname ?? owner.ToString();
            if (isWithdrawn || Availability.IsDrained(home))
            {
                backend.State = "drained";
                backend.InNames = false;
            }

            string key = service.ToString();
            if (!backends.TryGetValue(key, out List<BackendView>? own))
            {
                backends[key] = own = [];
            }

            own.Add(backend);
        }
    }
}
