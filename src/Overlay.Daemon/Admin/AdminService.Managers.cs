using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>Which nodes are managers, and whether enough of them are there.</summary>
internal sealed partial class AdminService
{
    private static readonly TimeSpan RoleTime = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RolePace = TimeSpan.FromMilliseconds(50);

    public override async Task<SetNodeRoleResponse> SetNodeRole(SetNodeRoleRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager(request.Role == NodeRole.Manager ? "promote a node" : "demote a node");
        Membership current = host.Current!;
        string text = Named(request.Node, context);
        bool changed = manager.Loop.State.FindNode(text).TryGet(out NodeObject? before, out _) && before.Role != request.Role;
        NodeObject node = await ChangeRoleAsync(manager, current, text, request.Role, !request.Detach, context.CancellationToken);
        return new()
        {
            Changed = changed,
            Node = await current.ReadAsync(
                n => NodeViews.Of(n.Intent.Node(node.Id) ?? node, n, current.Manager, host.Services.Clock), context.CancellationToken),
        };
    }

    private async Task<NodeObject> ChangeRoleAsync(
        ManagerServer manager, Membership current, string text, NodeRole role, bool wait, CancellationToken cancellationToken)
    {
        NodeObject node = RefusalStatus.Require(await manager.SetRoleAsync(text, role, cancellationToken));
        Instant until = host.Services.Clock.Now + RoleTime;
        while (wait && !await IsDoneAsync(manager, current, node.Id, role, cancellationToken))
        {
            if (host.Services.Clock.Now >= until)
            {
                throw RefusalStatus.ToException(new(
                    RefusalKind.Unavailable, $"Node {node.Hostname} is not a {RoleName(role)} yet.",
                    role == NodeRole.Manager
                        ? "Its agent has not heard of it, or has not caught up."
                        : "The other managers have not gone on without it yet.",
                    "It goes on by itself; watch it with `overlayd node ls`."));
            }

            await Task.Delay(RolePace, host.Services.Clock.Time, cancellationToken);
        }

        return node;
    }

    /// <summary>
    /// By the agent's own view, too: a manager that demotes itself hears nothing from the others' log when it is done.
    /// </summary>
    private static async Task<bool> IsDoneAsync(
        ManagerServer manager, Membership current, string id, NodeRole role, CancellationToken cancellationToken)
    {
        NodeObject? seen = await current.ReadAsync(node => node.Intent.Node(id), cancellationToken);
        NodeObject?[] views = [manager.Loop.State.Node(id), seen];
        return role == NodeRole.Worker
            ? views.Any(static n => n is { Role: NodeRole.Worker, MemberId: 0 })
            : views.Any(n => n is { Role: NodeRole.Manager, MemberId: not 0 } && manager.Loop.Engine.Configuration.IsVoter(new(n.MemberId)));
    }

    /// <summary>As a manager knows by its links, and a worker by gossip.</summary>
    private static ManagersView ManagersOf(Membership current, Node.Node node)
    {
        NodeObject[] managers = [.. node.Intent.Nodes.Where(static n => n.Role == NodeRole.Manager)];
        if (current.Manager is { IsVoter: true } manager)
        {
            Manager.Replication.QuorumView quorum = manager.Loop.Engine.Quorum;
            Manager.Replication.EngineView view = manager.Loop.Leadership.View;
            return new()
            {
                Total = (uint)quorum.Total,
                Reachable = (uint)quorum.Reachable,
                Needed = (uint)quorum.Needed,
                Leader = managers.FirstOrDefault(n => n.MemberId == view.Leader.Value && !view.Leader.IsNone)?.Hostname ?? "",
                Term = view.Term,
                Applied = manager.Loop.State.Version,
                Role = NodeViews.ManagerStatusOf(node.Intent.Node(current.Record.NodeId), manager),
                ReplaceAfterSeconds = manager.Loop.State.Cluster?.ReplaceManagersSeconds ?? 0,
                Replacing = manager.Loop.State.Cluster?.Replacement is { } taken
                    ? $"{HostnameOf(taken.Lost, node)} by {HostnameOf(taken.Successor, node)}"
                    : "",
                Mended = manager.Mended ?? "",
            };
        }

        return new()
        {
            Total = (uint)managers.Length,
            Reachable = (uint)managers.Count(n => n.Id == current.Record.NodeId
                || NodeViews.StatusOf(n.Id, node) is "alive" or "suspect" or "degraded" or "held-down"),
            Needed = (uint)(managers.Length / 2) + 1,
            Role = current.Identity.Role == NodeRole.Manager ? NodeViews.ManagerStatusOf(node.Intent.Node(current.Record.NodeId), current.Manager) : "",
        };
    }

    private static string RoleName(NodeRole role) => role == NodeRole.Manager ? "manager" : "worker";
}
