using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>
/// The manager's side of every member's agent. The caller is who its certificate says; a node that was removed has
/// a valid certificate still, and is refused by the store.
/// </summary>
internal sealed partial class AgentService(
    ManagerLoop manager, NodeRegistry registry, ClusterAuthority authority, SessionBoard sessions, KeyConfirmations keys, Desertion desertion,
    NodeIdentity identity, TimeProvider time, IHostApplicationLifetime lifetime, ILogger<AgentService> logger)
    : V1.Agent.AgentBase
{
    public override async Task Session(
        IAsyncStreamReader<SessionRequest> requestStream, IServerStreamWriter<Assignment> responseStream, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping, desertion.Token);
        try
        {
            if (await requestStream.MoveNext(ended.Token))
            {
                await ServeAsync(caller, context, requestStream, responseStream, ended);
            }
        }
        catch (OperationCanceledException) when (desertion.Token.IsCancellationRequested)
        {
            throw RefusalStatus.ToException(ManagerEnd.NoQuorum(manager.Engine.Quorum));
        }
        catch (OperationCanceledException) when (ended.IsCancellationRequested)
        {
            // The node closed its side, the call is over, or the manager stops.
        }
    }

    public override async Task<RenewCertificateResponse> RenewCertificate(RenewCertificateRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        // A role that was taken away must not come back by a manager that has not heard of it.
        ClusterState state = await manager.ReadAsync(context.CancellationToken);
        NodeObject node = EnsureMember(state, caller);
        ClusterObject cluster = state.Cluster!;
        ClusterAuthority.Signer signer = authority.For(cluster);
        Outcome<byte[]> signed = signer.Authority.SignNode(
            request.CertificateRequest.ToByteArray(), caller, NodeCertificates.RoleOf(node), cluster.Id,
            TimeSpan.FromSeconds(cluster.CertificateLifeSeconds), time.GetUtcNow());
        return signed.Refusal is { } refusal
            ? throw RefusalStatus.ToException(refusal)
            : new()
            {
                Certificate = ByteString.CopyFrom(signed.Value),
                CaCertificate = cluster.CaCertificate,
                Intermediates = { signer.Intermediates },
            };
    }

    public override async Task<LeaseBlockResponse> LeaseBlock(LeaseBlockRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        await EnsureMemberAsync(caller, context.CancellationToken);
        Outcome<LeaseObject> leased = await manager.ProposeAsync(
            intent => intent.LeaseBlock(request.NetworkId, request.Segment, request.Ipv6, caller.ToString()),
            request.RequestId, context.CancellationToken);
        return new() { Lease = RefusalStatus.Require(leased) };
    }

    public override async Task<ReserveAddressResponse> ReserveAddress(ReserveAddressRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        await EnsureMemberAsync(caller, context.CancellationToken);
        Outcome<ReservationObject> reserved = await manager.ProposeAsync(
            intent => intent.ReserveAddress(request.NetworkId, request.Address, caller.ToString(), request.EndpointId),
            request.RequestId, context.CancellationToken);
        return new() { Reservation = RefusalStatus.Require(reserved) };
    }

    public override async Task<ReleaseAddressResponse> ReleaseAddress(ReleaseAddressRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        await EnsureMemberAsync(caller, context.CancellationToken);
        Outcome<ReservationObject> released = await manager.ProposeAsync(
            intent => intent.ReleaseAddress(request.NetworkId, request.Address, caller.ToString(), request.EndpointId),
            "", context.CancellationToken);
        // An address that nobody holds is released already.
        if (released.Refusal is { Kind: not RefusalKind.NotFound } refusal)
        {
            throw RefusalStatus.ToException(refusal);
        }

        return new();
    }

    public override async Task<LeaveClusterResponse> LeaveCluster(LeaveClusterRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        NodeObject node = await EnsureMemberAsync(caller, context.CancellationToken);
        if (node.Role == NodeRole.Manager)
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.Conflict, $"Node {node.Hostname} cannot leave.", "It is a manager.",
                $"Type `overlayd node demote {node.Id}` first."));
        }

        Outcome<NodeObject> removed = await manager.ProposeAsync(
            intent => intent.RemoveNode(caller.ToString(), force: true), "", context.CancellationToken);
        RefusalStatus.Require(removed);
        return new();
    }

    public override async Task<ConfirmDrainResponse> ConfirmDrain(ConfirmDrainRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        await EnsureMemberAsync(caller, context.CancellationToken);
        RefusalStatus.Require(await manager.ProposeAsync(
            intent => intent.ConfirmDrain(caller.ToString(), request.DrainUnixMs), "", context.CancellationToken));
        return new();
    }

    private async Task ServeAsync(
        NodeId caller, ServerCallContext context, IAsyncStreamReader<SessionRequest> requests, IServerStreamWriter<Assignment> responses,
        CancellationTokenSource ended)
    {
        SessionRequest first = requests.Current;
        EnsureEpoch(first.Epoch);
        await DescribeAsync(caller, context, first.Description, ended.Token);
        LogSessionOpened(caller, first.Description.Hostname);
        long session = sessions.Opened(caller);
        Task reading = ReadSessionAsync(caller, context, requests, ended);
        try
        {
            ulong sent = 0;
            while (!ended.IsCancellationRequested)
            {
                ClusterState state = await manager.WaitForChangeAsync(sent, ended.Token);
                EnsureMember(state, caller);
                EnsureManager(state);
                Assignment assignment = await manager.AssignmentForAsync(caller, sent, ended.Token);
                await responses.WriteAsync(assignment, ended.Token);
                sent = assignment.Version;
                await Task.Delay(sessions.Pace, time, ended.Token);
            }
        }
        finally
        {
            await ended.CancelAsync();
            await reading;
            sessions.Closed(session);
            LogSessionClosed(caller, first.Description.Hostname);
        }
    }

    private async Task ReadSessionAsync(
        NodeId caller, ServerCallContext context, IAsyncStreamReader<SessionRequest> requests, CancellationTokenSource ended)
    {
        try
        {
            while (await requests.MoveNext(ended.Token))
            {
                if (requests.Current.Description is { } description)
                {
                    await DescribeAsync(caller, context, description, ended.Token);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or RpcException or IOException)
        {
            // The connection is gone: the session ends with it.
            LogSessionBroken(caller, e.Message);
        }

        await ended.CancelAsync();
    }

    private async Task DescribeAsync(
        NodeId caller, ServerCallContext context, NodeDescription? description, CancellationToken cancellationToken)
    {
        await EnsureMemberAsync(caller, cancellationToken);
        if (description is null)
        {
            throw new RpcException(new(StatusCode.InvalidArgument, "A session begins with the node's description."));
        }

        NodeObject told = NodeDescriptions.ToNode(caller, description);
        told.RootDigest = ClusterAuthority.RootDigestOf(
            context.GetHttpContext().Connection.ClientCertificate!, manager.State.Cluster!);
        await registry.DescribeAsync(told, cancellationToken);
    }

    /// <summary>The store of a manager that was demoted stands still as soon as the others go on without it.</summary>
    private void EnsureManager(ClusterState state)
    {
        if (state.Node(identity.Node.ToString()) is not { Role: NodeRole.Manager })
        {
            throw new RpcException(new(StatusCode.Unavailable, "This node is to be a manager no longer."));
        }
    }

    /// <summary>One that this manager has not heard of may have joined through another a moment ago.</summary>
    private async ValueTask<NodeObject> EnsureMemberAsync(NodeId caller, CancellationToken cancellationToken) =>
        manager.State.Node(caller.ToString()) ?? EnsureMember(await manager.ReadAsync(cancellationToken), caller);

    private static NodeId Caller(ServerCallContext context) => PeerPrincipal.Of(context.GetHttpContext()).Node;

    private static NodeObject EnsureMember(ClusterState state, NodeId caller) =>
        state.Node(caller.ToString()) is { Superseded: false } node ? node : throw RefusalStatus.ToException(new(
            RefusalKind.NotPermitted, $"Node {caller} is not served.",
            state.Node(caller.ToString()) is null ? "It was removed from the cluster."
                : $"It was a manager before the cluster was begun anew without it, in epoch {state.Epoch}.",
            "On that node type `overlayd leave --force`, then join again with a token."));

    /// <summary>An agent that knows a later life of the cluster is not served: it would go back. Its word alone ends nothing here.</summary>
    private void EnsureEpoch(ulong known)
    {
        ulong later = Math.Max(manager.Engine.SupersededBy, known > manager.State.Epoch ? known : 0);
        if (later > 0)
        {
            throw RefusalStatus.ToException(ManagerEnd.Superseded(later));
        }
    }

    [LoggerMessage(EventId = 710, Level = LogLevel.Information, Message = "Session of node {Node} ({Hostname}) opened")]
    private partial void LogSessionOpened(NodeId node, string hostname);

    [LoggerMessage(EventId = 711, Level = LogLevel.Information, Message = "Session of node {Node} ({Hostname}) closed")]
    private partial void LogSessionClosed(NodeId node, string hostname);

    [LoggerMessage(EventId = 712, Level = LogLevel.Debug, Message = "Session of node {Node} broke: {Reason}")]
    private partial void LogSessionBroken(NodeId node, string reason);
}
