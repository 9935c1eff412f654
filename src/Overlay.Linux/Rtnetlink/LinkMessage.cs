using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Rtnetlink;

/// <summary>Requests about interfaces.</summary>
internal static class LinkMessage
{
    public static void Dump(MessageBuilder batch)
    {
        batch.Begin(Rtm.GetLink, NetlinkConstants.Dump, new IfInfoMsg());
        batch.End();
    }

    public static void GetByName(MessageBuilder batch, string name)
    {
        batch.Begin(Rtm.GetLink, 0, new IfInfoMsg());
        batch.Put(Ifla.Name, name);
        batch.End();
    }

    public static void Delete(MessageBuilder batch, int index)
    {
        batch.Begin(Rtm.DeleteLink, 0, new IfInfoMsg { Index = index });
        batch.End();
    }

    /// <summary>Changes what is not null; all in one message.</summary>
    public static void Change(MessageBuilder batch, int index, LinkChange change)
    {
        batch.Begin(Rtm.NewLink, 0, new IfInfoMsg
        {
            Index = index,
            Flags = change.Up == true ? Ifla.Up : 0,
            Change = change.Up is null ? 0 : Ifla.Up,
        });
        if (change.Mtu is { } mtu)
        {
            batch.Put(Ifla.Mtu, mtu);
        }

        if (change.Mac is { } mac)
        {
            batch.Put(Ifla.Address, mac);
        }

        if (change.Master is { } master)
        {
            batch.Put(Ifla.Master, master);
        }

        if (change.Alias is { } alias)
        {
            // An empty alias has no bytes at all: the kernel then removes it.
            batch.Put(Ifla.Alias, System.Text.Encoding.UTF8.GetBytes(alias));
        }

        if (change.Isolated is { } isolated)
        {
            // The kernel gives these to the bridge that the link is a port of before this message.
            int info = batch.BeginNest(Ifla.LinkInfo);
            batch.Put(Ifla.InfoPortKind, "bridge");
            int data = batch.BeginNest(Ifla.InfoPortData);
            batch.Put(Ifla.PortIsolated, isolated);
            batch.EndNest(data);
            batch.EndNest(info);
        }

        batch.End();
    }

    /// <summary>
    /// Makes a bridge, or a VXLAN device, in the namespace of descriptor <paramref name="target"/>. The socket that
    /// sends this decides where a VXLAN device's UDP socket lives.
    /// </summary>
    public static void Create(MessageBuilder batch, LinkState link, int target, int master)
    {
        BeginNew(batch, link, target, master);
        int info = batch.BeginNest(Ifla.LinkInfo);
        if (link.Vxlan is { } vxlan)
        {
            batch.Put(Ifla.InfoKind, "vxlan");
            int data = batch.BeginNest(Ifla.InfoData);
            bool ipv6 = vxlan.Local.AddressFamily == AddressFamily.InterNetworkV6;
            batch.Put(IflaVxlan.Id, vxlan.Vni.Value);
            batch.Put(ipv6 ? IflaVxlan.Local6 : IflaVxlan.Local, vxlan.Local);
            batch.PutPort(IflaVxlan.Port, vxlan.Port);
            batch.Put(IflaVxlan.Learning, vxlan.Learning);
            batch.Put(IflaVxlan.Proxy, vxlan.Proxy);
            batch.Put(IflaVxlan.L2Miss, vxlan.L2Miss);
            batch.Put(IflaVxlan.L3Miss, vxlan.L3Miss);
            batch.EndNest(data);
        }
        else
        {
            batch.Put(Ifla.InfoKind, "bridge");
        }

        batch.EndNest(info);
        batch.End();
    }

    /// <summary>
    /// Makes both ends of a veth pair where they belong; neither is ever seen elsewhere. The peer is down: the kernel
    /// opens no end before both are tied (ENOTCONN).
    /// </summary>
    public static void CreatePair(
        MessageBuilder batch, LinkState link, int target, int master, LinkState peer, int peerTarget)
    {
        BeginNew(batch, link, target, master);
        int info = batch.BeginNest(Ifla.LinkInfo);
        batch.Put(Ifla.InfoKind, "veth");
        int data = batch.BeginNest(Ifla.InfoData);
        int other = batch.BeginNest(Ifla.VethPeer, new IfInfoMsg());
        PutCommon(batch, peer, peerTarget);
        batch.EndNest(other);
        batch.EndNest(data);
        batch.EndNest(info);
        batch.End();
    }

    /// <summary>Asks for the id by which the sender's namespace knows another.</summary>
    public static void GetNamespaceId(MessageBuilder batch, int descriptor)
    {
        const ushort Descriptor = 3;
        batch.Begin(Rtm.GetNamespaceId, 0, new RtGenMsg());
        batch.Put(Descriptor, descriptor);
        batch.End();
    }

    /// <summary>-1 where it has none.</summary>
    public static bool TryParseNamespaceId(NetlinkMessage message, out int id)
    {
        id = -1;
        if (message.Header.Type != Rtm.NewNamespaceId
            || !message.TryRead(out RtGenMsg _, out AttributeReader attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            id = attribute.Type == 1 ? attribute.Int32 : id;
        }

        return true;
    }

    private static void BeginNew(MessageBuilder batch, LinkState link, int target, int master)
    {
        const ushort Flags = NetlinkConstants.Create | NetlinkConstants.Exclusive;
        batch.Begin(Rtm.NewLink, Flags, Header(link));
        PutCommon(batch, link, target);
        if (master > 0)
        {
            batch.Put(Ifla.Master, master);
        }
    }

    private static IfInfoMsg Header(LinkState link) =>
        new() { Flags = link.Up ? Ifla.Up : 0, Change = link.Up ? Ifla.Up : 0 };

    private static void PutCommon(MessageBuilder batch, LinkState link, int target)
    {
        batch.Put(Ifla.Name, link.Name);
        batch.Put(Ifla.NamespaceDescriptor, target);
        if (link.Mtu > 0)
        {
            batch.Put(Ifla.Mtu, link.Mtu);
        }

        if (link.Mac is { } mac)
        {
            batch.Put(Ifla.Address, mac);
        }
    }
}
