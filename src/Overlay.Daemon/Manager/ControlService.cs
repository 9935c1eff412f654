using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>The store as managers see it, over mutual TLS. Secrets stay inside.</summary>
internal sealed class ControlService(ManagerLoop manager, NodeRegistry registry, IHostApplicationLifetime lifetime) : Control.ControlBase
{
    public override async Task<AdmitNodeResponse> AdmitNode(AdmitNodeRequest request, ServerCallContext context) =>
        new() { Node = RefusalStatus.Require(await registry.AddAsync(Of(request.Node), context.CancellationToken)) };

    public override async Task<DescribeNodeResponse> DescribeNode(DescribeNodeRequest request, ServerCallContext context)
    {
        RefusalStatus.Require(await registry.UpdateAsync(Of(request.Node), context.CancellationToken));
        return new();
    }

    public override Task<ChangeClusterResponse> ChangeCluster(ChangeClusterRequest request, ServerCallContext context) =>
        ClusterUpdate.ApplyAsync(manager, request, context.CancellationToken);

    public override async Task<ListNodeObjectsResponse> ListNodes(ListNodeObjectsRequest request, ServerCallContext context)
    {
        ClusterState state = await manager.ReadAsync(context.CancellationToken);
        ListNodeObjectsResponse response = new();
        response.Nodes.AddRange(state.Nodes);
        return response;
    }

    public override async Task Watch(WatchRequest request, IServerStreamWriter<WatchResponse> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await WatchAsync(request.FromVersion, responseStream, ended.Token);
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new(StatusCode.Unavailable, "This manager stops. Watch from the same version on another one."));
        }
    }

    private static NodeObject Of(NodeObject? node) =>
        node ?? throw new RpcException(new(StatusCode.InvalidArgument, "The request names no node."));

    private async Task WatchAsync(ulong sent, IServerStreamWriter<WatchResponse> responseStream, CancellationToken cancellationToken)
    {
        if (sent == 0)
        {
            ClusterState state = manager.State;
            await responseStream.WriteAsync(WholeState(state), cancellationToken);
            sent = state.Version;
        }

        if (sent > manager.State.Version)
        {
            throw OutOfRange(sent);
        }

        while (true)
        {
            ClusterState now = await manager.WaitForChangeAsync(sent, cancellationToken);
            if (await manager.QueryAsync(s => s.ChangesSince(sent), cancellationToken) is not { } changes)
            {
                throw OutOfRange(sent);
            }

            foreach (StoreChange change in changes.Where(c => c.Version <= now.Version))
            {
                WatchResponse response = new() { Version = change.Version };
                response.Actions.AddRange(change.Actions.Select(Redact));
                await responseStream.WriteAsync(response, cancellationToken);
                sent = change.Version;
            }

            sent = Math.Max(sent, now.Version);
        }
    }

    private static RpcException OutOfRange(ulong version) => new(new(
        StatusCode.OutOfRange,
        $"Version {version} is compacted away or not of this store's past. Watch from version 0 for the whole state."));

    private static WatchResponse WholeState(ClusterState state)
    {
        WatchResponse response = new() { Version = state.Version };
        response.Actions.AddRange(state.Objects.Select(static o => Redact(new StoreAction { Create = o })));
        return response;
    }

    private static StoreAction Redact(StoreAction action)
    {
        StoreObject? subject = action.Create ?? action.Update;
        if (subject?.Cluster is null)
        {
            return action;
        }

        StoreAction redacted = action.Clone();
        ClusterObject cluster = (redacted.Create ?? redacted.Update).Cluster;
        cluster.CaKey = Google.Protobuf.ByteString.Empty;
        if (cluster.CaRotation is { } rotation)
        {
            rotation.CaKey = Google.Protobuf.ByteString.Empty;
        }

        cluster.WorkerSecret = Google.Protobuf.ByteString.Empty;
        cluster.ManagerSecret = Google.Protobuf.ByteString.Empty;
        cluster.GossipKeys.Clear();
        cluster.UnlockKey = Google.Protobuf.ByteString.Empty;
        return redacted;
    }
}
