using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// Blocks that nodes get before they need them, so that attaching works while managers are away. Stops where half of a
/// range is leased: the rest is for those who ask.
/// </summary>
internal static class LeasesAhead
{
    public static void ForNode(ClusterState state, NodeObject node, Draft draft)
    {
        foreach (NetworkObject network in state.Networks)
        {
            foreach ((uint segment, AddressPlan plan) in PlansOf(network))
            {
                BlockLedger ledger = LedgerOf(state, network.Id, plan);
                if (ledger.TakeAhead(state.NodeCount + 1) is Prefix block)
                {
                    draft.Create(new() { Lease = LeaseOf(network.Id, segment, node.Id, block) });
                }
            }
        }
    }

    public static void ForNetwork(ClusterState state, NetworkObject network, Draft draft)
    {
        foreach ((uint segment, AddressPlan plan) in PlansOf(network))
        {
            BlockLedger ledger = new(plan, [], []);
            foreach (NodeObject node in state.Nodes)
            {
                if (ledger.TakeAhead(state.NodeCount) is not Prefix block)
                {
                    break;
                }

                draft.Create(new() { Lease = LeaseOf(network.Id, segment, node.Id, block) });
            }
        }
    }

    public static BlockLedger LedgerOf(ClusterState state, string networkId, AddressPlan plan) =>
        new(plan, state.LeasesOf(networkId), state.ReservationsOf(networkId));

    public static LeaseObject LeaseOf(string networkId, uint segment, string nodeId, Prefix block) => new()
    {
        Id = $"{networkId}/{block.First}",
        NetworkId = networkId,
        Segment = segment,
        NodeId = nodeId,
        Block = block.ToString(),
    };

    private static IEnumerable<(uint Segment, AddressPlan Plan)> PlansOf(NetworkObject network)
    {
        for (int i = 0; i < network.Segments.Count; i++)
        {
            if (AddressPlan.Of(network.Segments[i], ipv6: false) is { } ipv4)
            {
                yield return ((uint)i, ipv4);
            }

            if (AddressPlan.Of(network.Segments[i], ipv6: true) is { } ipv6)
            {
                yield return ((uint)i, ipv6);
            }
        }
    }
}
