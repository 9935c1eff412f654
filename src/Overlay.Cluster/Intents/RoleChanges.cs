using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// Workers become managers and managers workers. The role is what is wanted; the member id is what is: a node joins the
/// managers after its role has changed, and leaves them before its certificate does.
/// </summary>
internal static class RoleChanges
{
    public static Outcome<Proposal<NodeObject>> Set(ClusterState state, string text, NodeRole role, Draft draft)
    {
        if (!state.FindNode(text).TryGet(out NodeObject? node, out Refusal? refusal))
        {
            return refusal;
        }

        if (node.Role == role)
        {
            return draft.Finish(node);
        }

        if ((role switch
        {
            NodeRole.Manager => PromotionFault(state, node),
            NodeRole.Worker => DemotionFault(state, node),
            _ => new(RefusalKind.Invalid, "The role was not changed.", "A node is a worker or a manager.", "Name one of them."),
        }) is { } fault)
        {
            return fault;
        }

        NodeObject changed = node.Clone();
        changed.Role = role;
        draft.Update(new() { Node = changed });
        return draft.Finish(changed);
    }

    public static Outcome<Proposal<NodeObject>> Release(ClusterState state, string nodeId, ulong member, Draft draft)
    {
        if (state.Node(nodeId) is not { } node)
        {
            return NodeChanges.NodeUnknown(nodeId, "The node's place among the managers was not given up.");
        }

        if (node.Role == NodeRole.Manager || member == 0 || node.MemberId != member)
        {
            return draft.Finish(node);
        }

        NodeObject changed = node.Clone();
        changed.MemberId = 0;
        draft.Update(new() { Node = changed });
        return draft.Finish(changed);
    }

    /// <summary>Why there can be no further manager; null: there can.</summary>
    public static Refusal? CountFault(ClusterState state, string what) =>
        state.Nodes.Count(static each => each.Role == NodeRole.Manager) >= Limits.Managers
            ? new(
                RefusalKind.Exhausted, what, $"The cluster has {Limits.Managers} managers, the most it can have.",
                "Type `overlayd node demote` for another one first.")
            : null;

    private static Refusal? PromotionFault(ClusterState state, NodeObject node)
    {
        string what = $"Node {node.Hostname} ({node.Id}) was not promoted.";
        return node.ControlAddress.Length == 0
            ? new(
                RefusalKind.Conflict, what, $"Its agent ({node.AgentVersion}) does not say where it would serve other managers.",
                "Give that node the version of overlayd that the managers have.")
            : CountFault(state, what);
    }

    private static Refusal? DemotionFault(ClusterState state, NodeObject node) =>
        state.Nodes.Count(static each => each.Role == NodeRole.Manager) == 1
            ? new(
                RefusalKind.Conflict, $"Node {node.Hostname} ({node.Id}) was not demoted.",
                "It is the only manager, and a cluster without one can never be changed.",
                "Type `overlayd node promote` for another node first.")
            : null;
}
