using System.Security.Cryptography;
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
    public override async Task<NetworkView> CreateNetwork(CreateNetworkRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("create a network");
        string id = new NetworkId(RandomId()).ToString();
        NetworkSpec spec = SpecOf(id, request);
        Outcome<NetworkObject> created = await manager.Loop.ProposeAsync(
            intent => intent.CreateNetwork(spec), request.RequestId, context.CancellationToken);
        // As it is stored, with its version; or as it was made, if somebody removed it in the meantime.
        NetworkObject network = RefusalStatus.Require(created);
        network = manager.Loop.State.Network(network.Id) ?? network;
        return await host.Current!.ReadAsync(node => NetworkViews.Of(network, node, verbose: false, host.Services.Clock.Now), context.CancellationToken);
    }

    public override async Task<ListNetworksResponse> ListNetworks(ListNetworksRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list networks");
        ListNetworksResponse response = new();
        response.Networks.AddRange(await current.ReadAsync(
            node => NetworksOf(current, node).Select(n => NetworkViews.Of(n, node, verbose: false, host.Services.Clock.Now)).ToArray(),
            context.CancellationToken));
        return response;
    }

    public override async Task<NetworkView> InspectNetwork(InspectNetworkRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("inspect a network");
        NetworkView view = await current.ReadAsync(
            node => NetworkViews.Of(
                RefusalStatus.Require(StateOf(current)?.FindNetwork(request.Network) ?? node.Intent.FindNetwork(request.Network)),
                node, verbose: true, host.Services.Clock.Now),
            context.CancellationToken);
        if (StateOf(current) is { } state)
        {
            view.Leases.Clear();
            view.Leases.AddRange(state.LeasesOf(view.Network.Id));
        }

        return view;
    }

    public override async Task<RemoveNetworkResponse> RemoveNetwork(RemoveNetworkRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("remove a network");
        // What this manager has applied may be of the past: one that leads since a moment ago, or does not know that it leads no more.
        ClusterState state = await manager.Loop.ReadAsync(context.CancellationToken);
        NetworkObject network = RefusalStatus.Require(state.FindNetwork(request.Network));
        NetworkId id = NetworkId.Parse(network.Id);
        string[] names = await host.Current!.ReadAsync(
            // Those of the ingress network are the nodes' own, and go with it.
            node => network.Ingress ? [] : node.Endpoints.Where(e => e.Network == id).Select(static e => e.Name)
                .Concat(node.RemotesOn(id).Select(static r => r.Name)).ToArray(),
            context.CancellationToken);
        if (names.Length > 0)
        {
            string some = string.Join(", ", names.Take(5)) + (names.Length > 5 ? ", …" : "");
            throw RefusalStatus.ToException(new(
                RefusalKind.Conflict, $"Network {network.Name} is not removed.",
                $"{(names.Length == 1 ? "It has the endpoint" : $"It has {names.Length} endpoints:")} {some}.",
                $"Detach them first; see where they are with `overlayd endpoint ls --network {network.Name}`."));
        }

        Outcome<NetworkObject> removed = await manager.Loop.ProposeAsync(
            intent => intent.RemoveNetwork(network.Id), "", context.CancellationToken);
        return new() { Id = RefusalStatus.Require(removed).Id };
    }

    private static NetworkSpec SpecOf(string id, CreateNetworkRequest request) => new()
    {
        Id = id,
        Name = request.Name,
        Subnets = [.. request.Subnets],
        Gateways = [.. request.Gateways],
        Ranges = [.. request.IpRanges],
        Vni = request.Vni,
        Mtu = request.Mtu,
        Labels = [.. request.Labels.OrderBy(static l => l.Key, StringComparer.Ordinal)],
        Internal = request.Internal,
        Attachable = request.Attachable,
        Ipv6 = request.Ipv6,
        Ingress = request.Ingress,
    };

    private static ulong RandomId() => BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;

    private static IEnumerable<NetworkObject> NetworksOf(Membership current, Node.Node node) =>
        StateOf(current)?.Networks ?? node.Intent.Networks;

    /// <summary>The whole store; null: there is none here, or it is behind what the agent knows.</summary>
    private static ClusterState? StateOf(Membership current) =>
        current.Manager?.Loop.State is { Cluster: not null } state && state.Version >= current.Session.AppliedVersion ? state : null;
}
