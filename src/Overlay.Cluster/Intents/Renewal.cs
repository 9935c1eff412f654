using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// The cluster begins anew with one manager: after the others were lost, or from a backup. Everything stays: networks,
/// addresses, workers and their certificates, tokens. Only who decides is another: the epoch grows, by which managers and
/// agents tell the two lives apart, and the managers of before are superseded, each until it leaves and joins again.
/// </summary>
internal static class Renewal
{
    /// <param name="manager">Itself, with its id, member id and addresses; it may be new to the cluster.</param>
    public static Outcome<Proposal<ClusterObject>> Begin(ClusterState state, NodeObject manager, Draft draft)
    {
        const string What = "The cluster was not begun anew.";
        if (state.Nodes.FirstOrDefault(n => n.Id != manager.Id
            && (n.GossipAddress == manager.GossipAddress || n.DataPathAddress == manager.DataPathAddress)) is { } other)
        {
            return new Refusal(
                RefusalKind.Conflict, What, $"Its addresses are those of node {other.Hostname} ({other.Id}).",
                "Choose others with --advertise-addr and --data-path-addr, or do it on that node.");
        }

        NodeObject self = state.Node(manager.Id)?.Clone() ?? new() { Id = manager.Id, CreatedUnixMs = draft.UnixMs };
        self.Hostname = manager.Hostname;
        self.Role = NodeRole.Manager;
        self.MemberId = manager.MemberId;
        self.GossipAddress = manager.GossipAddress;
        self.DataPathAddress = manager.DataPathAddress;
        self.ControlAddress = manager.ControlAddress;
        self.AgentVersion = manager.AgentVersion;
        self.Superseded = false;
        if (NodeRules.Fault(self, What) is { } fault)
        {
            return fault;
        }

        ClusterObject cluster = state.Cluster!.Clone();
        cluster.Epoch = EpochOf(cluster) + 1;
        cluster.Replacement = null;
        draft.Update(new() { Cluster = cluster });
        foreach (NodeObject node in state.Nodes.Where(n => n.Id != manager.Id && (n.Role == NodeRole.Manager || n.MemberId != 0)))
        {
            NodeObject former = node.Clone();
            former.Role = NodeRole.Worker;
            former.MemberId = 0;
            former.ControlAddress = "";
            former.Superseded = true;
            draft.Update(new() { Node = former });
        }

        if (state.Node(self.Id) is null)
        {
            draft.Create(new() { Node = self });
            LeasesAhead.ForNode(state, self, draft);
        }
        else
        {
            draft.Update(new() { Node = self });
        }

        return draft.Finish(cluster);
    }

    /// <summary>Clusters of before epochs were counted are in their first.</summary>
    public static ulong EpochOf(ClusterObject cluster) => Math.Max(1, cluster.Epoch);
}
