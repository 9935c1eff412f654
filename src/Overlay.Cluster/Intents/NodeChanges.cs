using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Nodes come, describe themselves anew, and go.</summary>
internal static class NodeChanges
{
    public static Outcome<Proposal<NodeObject>> Add(ClusterState state, NodeObject node, Draft draft)
    {
        const string What = "The node was not added.";
        NodeObject added = node.Clone();
        added.CreatedUnixMs = draft.UnixMs;
        if (state.NodeCount >= Limits.Nodes)
        {
            return new Refusal(
                RefusalKind.Exhausted, What, $"The cluster has {Limits.Nodes} nodes, the most it can have.",
                "Type `overlayd node rm` for nodes that are gone.");
        }

        if (added.Role is not (NodeRole.Worker or NodeRole.Manager))
        {
            return new Refusal(
                RefusalKind.Invalid, What, "A node is a worker or a manager.", "Join with a token of this cluster.");
        }

        if (added.Role == NodeRole.Manager && RoleChanges.CountFault(state, What) is { } full)
        {
            return full;
        }

        // A manager of an earlier epoch that has left comes back from the same place.
        NodeObject? former = state.Nodes.FirstOrDefault(n => n.Superseded && n.GossipAddress == added.GossipAddress);
        if ((NodeRules.Fault(added, What) ?? AddressFault(state, added, What, former)) is { } fault)
        {
            return fault;
        }

        if (state.Node(added.Id) is not null)
        {
            return new Refusal(
                RefusalKind.Conflict, What, $"Node {added.Id} is in the cluster already.",
                "Type `overlayd node ls` to see it.");
        }

        if (former is not null)
        {
            draft.Delete(ObjectKind.Node, former.Id);
            AddressChanges.ReleaseAllOf(state, former.Id, draft);
        }

        draft.Create(new() { Node = added });
        LeasesAhead.ForNode(state, added, draft);
        return draft.Finish(added);
    }

    public static Outcome<Proposal<NodeObject>> Update(ClusterState state, NodeObject description, Draft draft)
    {
        const string What = "The node's description was not changed.";
        if (state.Node(description.Id) is not { } present)
        {
            return NodeUnknown(description.Id, What);
        }

        NodeObject changed = present.Clone();
        changed.Hostname = description.Hostname;
        changed.GossipAddress = description.GossipAddress;
        changed.DataPathAddress = description.DataPathAddress;
        changed.ControlAddress = description.ControlAddress;
        changed.AgentVersion = description.AgentVersion;
        changed.RootDigest = description.RootDigest;
        if (present.Role == NodeRole.Manager && description.MemberId != 0)
        {
            changed.MemberId = description.MemberId;
        }

        changed.Routes.Clear();
        changed.Routes.AddRange(description.Routes.Select(route => route.Clone()));
        if ((NodeRules.Fault(changed, What) ?? AddressFault(state, changed, What)) is { } fault)
        {
            return fault;
        }

        if (!changed.Equals(present))
        {
            draft.Update(new() { Node = changed });
        }

        return draft.Finish(changed);
    }

    public static Outcome<Proposal<NodeObject>> Remove(
        ClusterState state, string text, bool force, bool alive, Draft draft)
    {
        if (!state.FindNode(text).TryGet(out NodeObject? node, out Refusal? refusal))
        {
            return refusal;
        }

        string what = $"Node {node.Hostname} ({node.Id}) was not removed.";
        if (node.Role == NodeRole.Manager && state.Nodes.Count(each => each.Role == NodeRole.Manager) == 1)
        {
            return new Refusal(
                RefusalKind.Conflict, what, "It is the only manager, and a cluster without one can never be changed.",
                "Type `overlayd leave --force` on it if you mean to give the cluster up.");
        }

        if (node.Role == NodeRole.Manager && !force)
        {
            return new Refusal(
                RefusalKind.Conflict, what, "It is a manager.",
                $"Type `overlayd node demote {node.Id}` first, or `overlayd node rm --force {node.Id}`.");
        }

        if (node.MemberId != 0)
        {
            return new Refusal(
                RefusalKind.Conflict, what, "It is still among the managers that agree on changes.",
                $"Type `overlayd node demote {node.Id}`, which ends when the others go on without it.");
        }

        if (alive && !force)
        {
            return new Refusal(
                RefusalKind.Conflict, what, "It is alive.",
                $"Type `overlayd leave` on it, or `overlayd node rm --force {node.Id}` here.");
        }

        draft.Delete(ObjectKind.Node, node.Id);
        AddressChanges.ReleaseAllOf(state, node.Id, draft);
        GossipKeyChanges.Revoke(state, node, draft);
        return draft.Finish(node);
    }

    public static Refusal NodeUnknown(string nodeId, string what) => new(
        RefusalKind.NotInCluster,
        what,
        $"Node {Refusal.Quote(nodeId)} does not belong to this cluster, or was removed from it.",
        "Type `overlayd leave --force` and `overlayd join --token …` on that node.");

    /// <summary>Two nodes at one address would each answer for the other.</summary>
    private static Refusal? AddressFault(ClusterState state, NodeObject node, string what, NodeObject? former = null)
    {
        NodeObject? other = state.Nodes.FirstOrDefault(each =>
            each.Id != node.Id && each.Id != former?.Id
            && (each.GossipAddress == node.GossipAddress || each.DataPathAddress == node.DataPathAddress));
        if (other is null && node.MemberId != 0
            && state.Nodes.FirstOrDefault(each => each.Id != node.Id && each.MemberId == node.MemberId) is { } twin)
        {
            return new Refusal(
                RefusalKind.Conflict, what, $"Node {twin.Hostname} ({twin.Id}) has the same manager's log: one of them is a copy of the other's disk.",
                "On the copy type `overlayd leave --force`, then join again with a token.");
        }

        return other is null
            ? null
            : new Refusal(
                RefusalKind.Conflict,
                what,
                other.GossipAddress == node.GossipAddress
                    ? $"Node {other.Hostname} ({other.Id}) has the address {node.GossipAddress} already."
                    : $"Node {other.Hostname} ({other.Id}) has the data path address {node.DataPathAddress} already.",
                $"Type `overlayd node rm --force {other.Id}` if that node is gone, or choose another address.");
    }
}
