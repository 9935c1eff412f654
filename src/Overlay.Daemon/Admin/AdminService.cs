using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>The operator's API on the Unix socket: the agent's life, the cluster's intent, and what is attached here.</summary>
internal sealed partial class AdminService(AgentHost host, IHostApplicationLifetime lifetime) : V1.Admin.AdminBase
{
    public override async Task<InitResponse> Init(InitRequest request, ServerCallContext context) =>
        RefusalStatus.Require(await host.InitAsync(request, context.CancellationToken));

    public override async Task<JoinResponse> Join(JoinRequest request, ServerCallContext context) =>
        RefusalStatus.Require(await host.JoinAsync(request, context.CancellationToken));

    public override async Task<LeaveResponse> Leave(LeaveRequest request, ServerCallContext context) =>
        await host.LeaveAsync(request.Force, context.CancellationToken) is { } refusal
            ? throw RefusalStatus.ToException(refusal)
            : new();

    public override Task<VersionResponse> GetVersion(GetVersionRequest request, ServerCallContext context) =>
        Task.FromResult(new VersionResponse
        {
            Version = AgentVersion.Text,
            Revision = AgentVersion.Revision,
            Runtime = System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription,
        });

    public override Task<TokenResponse> ShowToken(ShowTokenRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("show a join token");
        return Task.FromResult(TokenOf(manager.Loop.State.Cluster!, request.Role));
    }

    public override async Task<TokenResponse> RotateToken(RotateTokenRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("rotate a join token");
        byte[] secret = System.Security.Cryptography.RandomNumberGenerator.GetBytes(16);
        Outcome<ClusterObject> rotated = await manager.Loop.ProposeAsync(
            intent => intent.RotateSecret(RoleOf(request.Role), secret), "", context.CancellationToken);
        return TokenOf(RefusalStatus.Require(rotated), request.Role);
    }

    public override async Task<ListNodesResponse> ListNodes(ListNodesRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list nodes");
        ListNodesResponse response = new();
        response.Nodes.AddRange(await current.ReadAsync(
            node => node.Intent.Nodes.Select(n => NodeViews.Of(n, node, current.Manager, host.Services.Clock)).ToArray(), context.CancellationToken));
        return response;
    }

    public override async Task<NodeView> InspectNode(InspectNodeRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("inspect a node");
        string text = request.Node is "" or "self" ? current.Record.NodeId : request.Node;
        return await current.ReadAsync(
            node => NodeViews.Of(RefusalStatus.Require(node.Intent.FindNode(text)), node, current.Manager, host.Services.Clock), context.CancellationToken);
    }

    public override async Task<RemoveNodeResponse> RemoveNode(RemoveNodeRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("remove a node");
        Membership current = host.Current!;
        ClusterState state = await manager.Loop.ReadAsync(context.CancellationToken);
        NodeObject target = RefusalStatus.Require(state.FindNode(Named(request.Node, context)));
        if (target.MemberId != 0 && request.Force)
        {
            await ChangeRoleAsync(manager, current, target.Id, NodeRole.Worker, wait: true, context.CancellationToken);
        }

        string status = await current.ReadAsync(node => NodeViews.StatusOf(target.Id, node), context.CancellationToken);
        Outcome<NodeObject> removed = await manager.Loop.ProposeAsync(
            intent => intent.RemoveNode(target.Id, request.Force, status is "alive" or "suspect" or "degraded" or "held-down"), "", context.CancellationToken);
        return new() { Id = RefusalStatus.Require(removed).Id };
    }

    public override async Task WatchEvents(WatchEventsRequest request, IServerStreamWriter<Event> responseStream, ServerCallContext context)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(
            context.CancellationToken, lifetime.ApplicationStopping);
        try
        {
            await foreach (Event happened in host.Services.Events.Watch(ended.Token).ReadAllAsync(ended.Token))
            {
                await responseStream.WriteAsync(happened, ended.Token);
            }
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            throw new RpcException(new(StatusCode.Unavailable, "The agent stops. Watch again when it is back."));
        }
    }

    private Membership RequireMember(string verb) =>
        host.Current ?? throw RefusalStatus.ToException(host.Absence(verb));

    private ManagerServer RequireManager(string verb)
    {
        Membership current = RequireMember(verb);
        return current.Manager switch
        {
            { Loop.State.Cluster: not null } manager => manager,
            not null => throw RefusalStatus.ToException(ManagerEnd.CatchingUp),
            null => throw RefusalStatus.ToException(new(
                RefusalKind.NotPermitted, $"Cannot {verb} here.",
                current.Managership.Problem ?? "This node is a worker.",
                $"Type the same command on a manager ({string.Join(", ", current.ManagerAddresses)}).")),
        };
    }

    private static NodeRole RoleOf(NodeRole role) => role == NodeRole.Unspecified ? NodeRole.Worker : role;

    private TokenResponse TokenOf(ClusterObject cluster, NodeRole role)
    {
        byte[] secret = RoleOf(role) == NodeRole.Manager ? cluster.ManagerSecret.ToByteArray() : cluster.WorkerSecret.ToByteArray();
        string token = JoinToken.For(cluster.CaCertificate.Span, secret).Format();
        return new() { Token = token, JoinCommand = $"overlayd join --token {token} {host.Current!.Record.ControlAddress}" };
    }
}
