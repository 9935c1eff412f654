using System.Collections.Immutable;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

internal sealed partial class AdminService
{
    public override async Task<ServiceView> CreateService(CreateServiceRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("create a service");
        ServiceSpec spec = new()
        {
            Id = new ServiceId(RandomId()).ToString(),
            Name = request.Name,
            Network = request.Network,
            Mode = request.EndpointMode == EndpointMode.Unspecified ? EndpointMode.Vip : request.EndpointMode,
            VirtualAddresses = [.. request.VirtualAddresses],
            Scheduler = request.Scheduler,
            SourceIp = request.SourceIp,
            Locality = request.Locality,
            WeightBy = request.WeightBy,
            StickyMs = request.StickyMs,
            Timeouts = request.Timeouts,
            Health = request.Health,
            Ports = [.. request.Ports],
            IngressId = new NetworkId(RandomId()).ToString(),
            Labels = [.. request.Labels.OrderBy(static l => l.Key, StringComparer.Ordinal)],
        };
        ClusterState state = await manager.Loop.ReadAsync(context.CancellationToken);
        if (state.FindNetwork(spec.Network).TryGet(out NetworkObject? network, out _))
        {
            await RequireNoEndpointNamedAsync(spec.Name, network, context.CancellationToken);
        }

        Outcome<ServiceObject> created = await manager.Loop.ProposeAsync(
            intent => intent.CreateService(spec), request.RequestId, context.CancellationToken);
        // As it is stored, with its version; or as it was made, if somebody removed it in the meantime.
        ServiceObject service = RefusalStatus.Require(created);
        service = manager.Loop.State.Service(service.Id) ?? service;
        return await ViewAsync(host.Current!, _ => service, context.CancellationToken);
    }

    public override async Task<UpdateServiceResponse> UpdateService(UpdateServiceRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("change a service");
        ServiceEdit edit = new()
        {
            Scheduler = request.Scheduler,
            SourceIp = request.SourceIp,
            Locality = request.Locality,
            WeightBy = request.HasWeightBy ? request.WeightBy : null,
            StickyMs = request.HasStickyMs ? request.StickyMs : null,
            Timeouts = request.Timeouts,
            Health = request.Health,
            NoHealth = request.NoHealth,
            LabelsAdded = request.LabelAdd.ToImmutableSortedDictionary(StringComparer.Ordinal),
            LabelsRemoved = request.LabelRm.ToImmutableSortedSet(StringComparer.Ordinal),
            PortsAdded = [.. request.PublishAdd],
            IngressId = new NetworkId(RandomId()).ToString(),
            PortsRemoved = [.. request.PublishRm.Select(static t => (t.Target, t.Protocol))],
        };
        ulong before = 0;
        Outcome<ServiceObject> edited = await manager.Loop.ProposeAsync(
            intent =>
            {
                before = manager.Loop.State.FindService(request.Service).TryGet(out ServiceObject? service, out _) ? service.Version : 0;
                return intent.EditService(request.Service, edit);
            },
            "", context.CancellationToken);
        ServiceObject changed = RefusalStatus.Require(edited);
        ServiceObject now = manager.Loop.State.Service(changed.Id) ?? changed;
        return new() { Changed = now.Version != before, Service = await ViewAsync(host.Current!, _ => now, context.CancellationToken) };
    }

    /// <summary>With what this node knows of its backends and of its own ports.</summary>
    private async Task<ServiceView> ViewAsync(Membership current, Func<Node.Node, ServiceObject> service, CancellationToken cancellationToken)
    {
        ServiceView view = await current.ReadAsync(node => ServiceViews.Of(service(node), node), cancellationToken);
        view.RefusedPorts.AddRange(host.Services.Reconciler.Status.RefusedPorts
            .Where(r => r.Port.Service == view.Service.Name).Select(static r => r.Text));
        return view;
    }

    public override async Task<ListServicesResponse> ListServices(ListServicesRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list services");
        ListServicesResponse response = new();
        response.Services.AddRange(await current.ReadAsync(
            node => ServiceViews.All(StateOf(current)?.Services ?? node.Intent.Services, request.Network, node), context.CancellationToken));
        return response;
    }

    public override async Task<ServiceView> InspectService(InspectServiceRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("inspect a service");
        return await ViewAsync(
            current,
            node => RefusalStatus.Require(StateOf(current)?.FindService(request.Service) ?? node.Intent.FindService(request.Service)),
            context.CancellationToken);
    }

    public override async Task<RemoveServiceResponse> RemoveService(RemoveServiceRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("remove a service");
        ClusterState state = await manager.Loop.ReadAsync(context.CancellationToken);
        ServiceObject service = RefusalStatus.Require(state.FindService(request.Service));
        int endpoints = await host.Current!.ReadAsync(
            node => ServiceViews.Of(service, node).Backends.Count, context.CancellationToken);
        Outcome<ServiceObject> removed = await manager.Loop.ProposeAsync(
            intent => intent.RemoveService(service.Id), "", context.CancellationToken);
        return new() { Id = RefusalStatus.Require(removed).Id, Endpoints = (uint)endpoints };
    }

    /// <summary>As no endpoint may take a service's name. One that comes at the same moment shares it (docs/operating.md).</summary>
    private async Task RequireNoEndpointNamedAsync(string name, NetworkObject network, CancellationToken cancellationToken)
    {
        NetworkId id = NetworkId.Parse(network.Id);
        string? holder = await host.Current!.ReadAsync(
            node => node.Endpoints.Where(e => e.Network == id).Select(static e => e.Name)
                .Concat(node.RemotesOn(id).Select(static r => r.Name))
                .FirstOrDefault(held => string.Equals(held, name, StringComparison.OrdinalIgnoreCase)) ?? "",
            cancellationToken);
        if (holder.Length > 0)
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.Conflict, $"Service {Refusal.Quote(name)} was not created.",
                $"An endpoint of network {network.Name} is called {holder}.",
                $"Choose another name, or detach it first; see where it is with `overlayd endpoint inspect {holder}`."));
        }
    }
}
