using Overlay.Dataplane;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How networks are shown on this node.</summary>
internal static class NetworkViews
{
    public static NetworkView Of(NetworkObject network, Node.Node node, bool verbose, Instant now)
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
        IReadOnlyList<PeerLag> lags = node.Gossip.LagOf(network.Id, now);
        foreach (OwnerSummary owner in node.Gossip.Summarize(network.Id)?.Owners ?? [])
        {
            NodeObject? peer = node.Intent.Node(owner.Owner);
            PeerLag? lag = lags.FirstOrDefault(l => l.Peer == owner.Owner);
            view.OwnVersion = owner.Owner == node.Id.ToString() ? owner.Version : view.OwnVersion;
            view.Peers.Add(new PeerView
            {
                AcknowledgedVersion = lag?.Acknowledged ?? 0,
                LagEntries = lag?.Entries ?? 0,
                LagSeconds = Math.Round(lag?.Lag.TotalSeconds ?? 0, 3),
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
