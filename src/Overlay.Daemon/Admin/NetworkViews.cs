using Overlay.Dataplane;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How networks are shown on this node.</summary>
internal static class NetworkViews
{
    public static NetworkView Of(NetworkObject network, Node.Node node, bool verbose)
    {
        NetworkId id = NetworkId.Parse(network.Id);
        bool here = node.Endpoints.Any(e => e.Network == id);
        NetworkView view = new()
        {
            Network = network,
            EffectiveMtu = (uint)MtuOf(network, node),
            Namespace = here ? Desired.NamespaceOf(id).Value : "",
        };
        if (!verbose)
        {
            return view;
        }

        view.Endpoints.AddRange(EndpointViews.All(node, network.Id, local: false));
        view.Leases.AddRange(node.Intent.Leases.Where(l => l.NetworkId == network.Id));
        foreach (OwnerSummary owner in node.Gossip.Summarize(network.Id)?.Owners ?? [])
        {
            NodeObject? peer = node.Intent.Node(owner.Owner);
            view.Peers.Add(new PeerView
            {
                NodeId = owner.Owner,
                Hostname = peer?.Hostname ?? "",
                Vtep = peer?.DataPathAddress ?? "",
                Status = NodeViews.StatusOf(owner.Owner, node),
                Endpoints = (uint)owner.Entries,
                TableVersion = owner.Version,
            });
        }

        return view;
    }

    public static int MtuOf(NetworkObject network, Node.Node node) =>
        network.Mtu > 0 ? (int)network.Mtu : OverlayMtu.For(node.Settings.UnderlayMtu, node.Settings.Vtep);
}
