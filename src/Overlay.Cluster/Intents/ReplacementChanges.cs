using System.Globalization;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Whether dead managers are replaced, and the steps of it; see <see cref="ReplacementPlan"/>.</summary>
internal static class ReplacementChanges
{
    public static Outcome<Proposal<ClusterObject>> Set(ClusterState state, TimeSpan after, Draft draft)
    {
        if (after != TimeSpan.Zero && (after < Limits.ShortestReplacement || after > Limits.LongestReplacement))
        {
            return new Refusal(
                RefusalKind.Invalid, "The cluster was not changed.",
                string.Create(
                    CultureInfo.InvariantCulture, $"Managers cannot be replaced after {after.TotalSeconds} s."),
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"Choose from {Limits.ShortestReplacement.TotalSeconds:0} s to {Limits.LongestReplacement.TotalDays:0} days, or off."));
        }

        if (state.Cluster!.ReplaceManagersSeconds == (long)after.TotalSeconds)
        {
            return draft.Finish(state.Cluster);
        }

        ClusterObject cluster = state.Cluster.Clone();
        cluster.ReplaceManagersSeconds = (long)after.TotalSeconds;
        draft.Update(new() { Cluster = cluster });
        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> Begin(ClusterState state, string lost, string successor, Draft draft)
    {
        const string What = "No manager was replaced.";
        if (state.Cluster!.Replacement is not null)
        {
            return new Refusal(RefusalKind.Conflict, What, "Another one is being replaced.", "Wait until it is done.");
        }

        if (state.Node(lost) is not { Role: NodeRole.Manager } || state.Node(successor) is not { Role: NodeRole.Worker, MemberId: 0 } worker)
        {
            return new Refusal(
                RefusalKind.Conflict, What, "The roles of the two have changed meanwhile.", "See them with `overlayd node ls`.");
        }

        ClusterObject cluster = state.Cluster.Clone();
        cluster.Replacement = new() { Lost = lost, Successor = successor, StartedUnixMs = draft.UnixMs };
        draft.Update(new() { Cluster = cluster });
        UpdateRole(worker, NodeRole.Manager, draft);
        return draft.Finish(cluster);
    }

    public static Outcome<Proposal<ClusterObject>> Finish(ClusterState state, Draft draft) =>
        End(state, static r => r.Lost, draft);

    public static Outcome<Proposal<ClusterObject>> Cancel(ClusterState state, Draft draft) =>
        End(state, static r => r.Successor, draft);

    /// <summary>One of the two is a worker, in the same step.</summary>
    private static Outcome<Proposal<ClusterObject>> End(ClusterState state, Func<ManagerReplacement, string> worker, Draft draft)
    {
        if (state.Cluster!.Replacement is not { } current)
        {
            return draft.Finish(state.Cluster);
        }

        ClusterObject cluster = state.Cluster.Clone();
        cluster.Replacement = null;
        draft.Update(new() { Cluster = cluster });
        if (state.Node(worker(current)) is { Role: NodeRole.Manager } node && state.Nodes.Count(static n => n.Role == NodeRole.Manager) > 1)
        {
            UpdateRole(node, NodeRole.Worker, draft);
        }

        return draft.Finish(cluster);
    }

    private static void UpdateRole(NodeObject node, NodeRole role, Draft draft)
    {
        NodeObject changed = node.Clone();
        changed.Role = role;
        draft.Update(new() { Node = changed });
    }
}
