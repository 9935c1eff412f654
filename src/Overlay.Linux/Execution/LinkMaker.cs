using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Execution;

/// <summary>
/// Makes and removes interfaces. A device of the wanted name and nature is adopted and adjusted; one of another
/// nature is deleted first if it is ours, and left alone with an error if it is a stranger's.
/// </summary>
internal sealed class LinkMaker(NamespaceSessions sessions)
{
    public NetlinkReply Create(Operation.CreateLink operation)
    {
        LinkState link = operation.Link;
        NamespaceSession session = sessions.Open(operation.In);
        NetlinkReply reply = TryCreate(session, operation);
        if (reply.Errno == Errno.Exists)
        {
            if (session.Find(link.Name) is { } existing)
            {
                if (IsAsWanted(session, existing, operation))
                {
                    return Finish(session, operation, created: false);
                }

                reply = Remove(operation.In, session, existing);
                if (reply.Errno != 0)
                {
                    return reply;
                }
            }

            reply = RemovePeerInTheWay(operation) is { Errno: not 0 } refused ? refused : TryCreate(session, operation);
        }

        return reply.Errno == 0 ? Finish(session, operation, created: true) : reply;
    }

    public NetlinkReply Delete(Operation.DeleteLink operation)
    {
        if (sessions.TryOpen(operation.In) is not { } session || session.Find(operation.Name) is not { } link)
        {
            return default;
        }

        return Delete(session, link);
    }

    private NetlinkReply Delete(NamespaceSession session, LinkRecord link)
    {
        sessions.ForgetLinks();
        MessageBuilder batch = session.Netlink.NewBatch();
        LinkMessage.Delete(batch, link.Index);
        NetlinkReply reply = session.Netlink.Execute(batch)[0];
        return reply.Errno == Errno.NoDevice ? default : reply;
    }

    private NetlinkReply Remove(NamespaceName name, NamespaceSession session, LinkRecord link)
    {
        bool ours = name.IsOverlay || link.Alias.StartsWith("overlayd", StringComparison.Ordinal)
            || (name.IsHost && link.Name.StartsWith("ov", StringComparison.Ordinal));
        return ours
            ? Delete(session, link)
            : new(Errno.Exists, $"interface {link.Name} in {name} exists and is not overlayd's; remove or rename it");
    }

    private static NetlinkReply Change(NamespaceSession session, int index, LinkChange change)
    {
        MessageBuilder batch = session.Netlink.NewBatch();
        LinkMessage.Change(batch, index, change);
        return session.Netlink.Execute(batch)[0];
    }

    private NetlinkReply TryCreate(NamespaceSession session, Operation.CreateLink operation)
    {
        LinkState link = operation.Link;
        int master = 0;
        if (link.Master is { Length: > 0 } bridge)
        {
            if (session.Find(bridge) is not { } found)
            {
                return new(Errno.NoDevice, $"there is no bridge {bridge} in {operation.In}");
            }

            master = found.Index;
        }

        // A VXLAN device's UDP socket stays in the namespace of the socket that asks for the device.
        NetlinkSocket maker = link.Peer is null && link.Vxlan is null
            ? session.Netlink
            : sessions.Open(NamespaceName.Host).Netlink;
        MessageBuilder batch = maker.NewBatch();
        int target = session.Handle.Descriptor.Number;
        if (link.Peer is { } place)
        {
            NamespaceSession peerSession = sessions.Open(place.Namespace);
            LinkState peer = PeerOf(operation, place);
            LinkMessage.CreatePair(batch, link, target, master, peer, peerSession.Handle.Descriptor.Number);
        }
        else
        {
            LinkMessage.Create(batch, link, target, master);
        }

        session.Forget(link.Name);
        return maker.Execute(batch)[0];
    }

    private static LinkState PeerOf(Operation.CreateLink operation, VethPeer place) =>
        (operation.PeerLink ?? new() { Name = place.Name, Kind = LinkKind.Veth, Up = operation.Link.Up }) with
        {
            Name = place.Name,
        };

    private NetlinkReply RemovePeerInTheWay(Operation.CreateLink operation)
    {
        if (operation.Link.Peer is not { } place)
        {
            return default;
        }

        NamespaceSession session = sessions.Open(place.Namespace);
        session.Forget(place.Name);
        return session.Find(place.Name) is { } link ? Remove(place.Namespace, session, link) : default;
    }

    /// <summary>What a creation cannot say in its one message; of an adopted link, everything.</summary>
    private NetlinkReply Finish(NamespaceSession session, Operation.CreateLink operation, bool created)
    {
        LinkState link = operation.Link;
        string? alias = link.Alias.Length > 0 ? link.Alias : null;
        NetlinkReply reply = created
            ? Adjust(session, link, new() { Alias = alias })
            : Adjust(session, link, WithMaster(session, link, Everything(link)));
        if (reply.Errno == 0 && link.Isolated)
        {
            // Of its own: the bridge takes it from a link that is a port already.
            reply = Adjust(session, link, new() { Isolated = true });
        }

        if (reply.Errno != 0 || link.Peer is not { } place)
        {
            return reply;
        }

        NamespaceSession peerSession = sessions.Open(place.Namespace);
        LinkState peer = PeerOf(operation, place);
        LinkChange change = created
            ? new() { Up = peer.Up ? true : null, Alias = peer.Alias.Length > 0 ? peer.Alias : null }
            : Everything(peer);
        return Adjust(peerSession, peer, WithMaster(peerSession, peer, change));
    }

    private static LinkChange Everything(LinkState link) =>
        new(link.Mtu > 0 ? link.Mtu : null, link.Mac, null, link.Up ? true : null, link.Alias);

    /// <summary>A bridge that is missing gets the index -1.</summary>
    private static LinkChange WithMaster(NamespaceSession session, LinkState link, LinkChange change) =>
        link.Master is { Length: > 0 } bridge ? change with { Master = session.Find(bridge)?.Index ?? -1 } : change;

    private static NetlinkReply Adjust(NamespaceSession session, LinkState link, LinkChange change)
    {
        if (change.IsNothing)
        {
            return default;
        }

        if (change.Master == -1)
        {
            return new(Errno.NoDevice, $"there is no bridge {link.Master} beside {link.Name}");
        }

        return session.Find(link.Name) is { } found
            ? Change(session, found.Index, change)
            : new(Errno.NoDevice, $"interface {link.Name} went away");
    }

    private bool IsAsWanted(NamespaceSession session, LinkRecord existing, Operation.CreateLink operation)
    {
        LinkState link = operation.Link;
        if (link.Vxlan is { } vxlan)
        {
            return existing.Vxlan == vxlan;
        }

        if (link.Peer is not { } place)
        {
            return existing.Kind == LinkKind.Bridge;
        }

        NamespaceSession peerSession = sessions.Open(place.Namespace);
        return existing.Kind == LinkKind.Veth && peerSession.Find(place.Name) is { Kind: LinkKind.Veth } peer
            && peer.Index == existing.Lower && existing.Index == peer.Lower
            && existing.LowerNamespace == IdOf(session, peerSession);
    }

    /// <summary>The id by which one namespace knows the other; null where they are the same.</summary>
    private static int? IdOf(NamespaceSession session, NamespaceSession other)
    {
        if (session.Handle.Identity == other.Handle.Identity)
        {
            return null;
        }

        MessageBuilder request = session.Netlink.NewBatch();
        LinkMessage.GetNamespaceId(request, other.Handle.Descriptor.Number);
        return session.Netlink.Get<int>(request, LinkMessage.TryParseNamespaceId, out int id) == 0 ? id : -1;
    }
}
