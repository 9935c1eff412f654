using System.Collections.Immutable;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Manager.Peers;
using Overlay.Gossip;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>Which managers there are, and whether this node is one.</summary>
internal sealed partial class Membership
{
    /// <summary>
    /// Where managers are reached, in the order in which this node tries them: every node begins with another one, and a
    /// manager's own is the last, so that it is watched by others and hears from them that it was removed.
    /// </summary>
    private IReadOnlyList<string> ManagersIn(AssignmentView intent)
    {
        string[] others =
        [
            .. intent.Nodes.Where(n => n is { Role: NodeRole.Manager, ControlAddress.Length: > 0 } && n.Id != Record.NodeId)
                .Select(static n => n.ControlAddress),
        ];
        int first = others.Length == 0 ? 0 : (int)(NodeId.Parse(Record.NodeId).Value % (uint)others.Length);
        IEnumerable<string> known = others.Length > 0 ? others[first..].Concat(others[..first]) : Record.Managers;
        return Identity.Role == NodeRole.Manager ? [.. known, Record.ControlAddress] : [.. known];
    }

    private async Task FollowManagersAsync(Assignment assignment, CancellationToken cancellationToken)
    {
        bool concerns = assignment.Complete || assignment.Deletes.Any(static gone => gone.Kind == ObjectKind.Node)
            || assignment.Upserts.Any(o => o.Node is { } node
                && (node.Role == NodeRole.Manager || node.Id == Record.NodeId || managers.Contains(node.ControlAddress)));
        if (!concerns)
        {
            return;
        }

        (managers, NodeObject? self) = await loop.ReadAsync(
            node => (ManagersIn(node.Intent), node.Intent.Node(Record.NodeId)), cancellationToken);
        if (self is not null)
        {
            renewal.Want(NodeCertificates.RoleOf(self));
        }

        place.Hear(self, stopping.Token);

        Managership.Look();
    }

    private void Renewed()
    {
        Managership.Look();
        session.Reopen();
    }

    private Task<IReadOnlyList<PeerAddress>> PeersAsync(CancellationToken cancellationToken) => loop.ReadAsync<IReadOnlyList<PeerAddress>>(
        node => [.. ManagerLoop.ManagersOf(node.Intent.Nodes.Where(n => n.Id != Record.NodeId))], cancellationToken);

    private Task<IReadOnlyDictionary<string, Member>> MembersAsync(CancellationToken cancellationToken) =>
        loop.ReadAsync<IReadOnlyDictionary<string, Member>>(
            static node => node.Gossip.Members.Where(static m => !m.IsForeign)
                .ToImmutableSortedDictionary(static m => m.Name, static m => m, StringComparer.Ordinal),
            cancellationToken);

    private Func<CancellationToken, Task>[] Begun(ManagerServer manager)
    {
        manager.Sessions.Listen(
            (agent, number) => loop.TryPost(new AgentSessionOpenedInput(agent, number)),
            (agent, number) => loop.TryPost(new AgentSessionClosedInput(agent, number)));
        return
        [
            new MemberKeeper(manager.Loop, services.Clock.Time, services.Logs.CreateLogger<MemberKeeper>()).RunAsync,
            new ReplacementKeeper(
                manager.Loop, MembersAsync, services.Clock, services.Logs.CreateLogger<ReplacementKeeper>()).RunAsync,
            KeeperOf(manager).RunAsync,
            new CaKeeper(manager.Loop, services.Clock.Time, services.Logs.CreateLogger<CaKeeper>()).RunAsync,
        ];
    }
}
