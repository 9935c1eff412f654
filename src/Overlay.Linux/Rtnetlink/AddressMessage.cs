using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Rtnetlink;

/// <summary>An interface address as RTM_NEWADDR tells it.</summary>
internal readonly record struct AddressRecord(int Index, IPAddress Address, int PrefixLength, byte Scope);

/// <summary>Requests about interface addresses, and their parsing.</summary>
internal static class AddressMessage
{
    public static void Dump(MessageBuilder batch)
    {
        batch.Begin(Rtm.GetAddress, NetlinkConstants.Dump, new IfAddrMsg());
        batch.End();
    }

    public static void Replace(MessageBuilder batch, int index, AddressEntry entry) =>
        Write(batch, Rtm.NewAddress, NetlinkConstants.Create | NetlinkConstants.Replace, index, entry);

    public static void Delete(MessageBuilder batch, int index, AddressEntry entry) =>
        Write(batch, Rtm.DeleteAddress, 0, index, entry);

    public static bool TryParse(NetlinkMessage message, out AddressRecord record)
    {
        record = default;
        if (message.Header.Type != Rtm.NewAddress
            || !message.TryRead(out IfAddrMsg header, out AttributeReader attributes))
        {
            return false;
        }

        IPAddress? address = null;
        IPAddress? local = null;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Ifa.Address:
                    address = attribute.Address;
                    break;
                case Ifa.Local:
                    local = attribute.Address;
                    break;
                default:
                    break;
            }
        }

        // On a point-to-point link IFA_ADDRESS is the peer's.
        if ((local ?? address) is not { } own
            || header.PrefixLength > (own.AddressFamily == AddressFamily.InterNetwork ? 32 : 128))
        {
            return false;
        }

        record = new((int)header.Index, own, header.PrefixLength, header.Scope);
        return true;
    }

    private static void Write(MessageBuilder batch, ushort type, ushort flags, int index, AddressEntry entry)
    {
        bool ipv6 = entry.Address.AddressFamily == AddressFamily.InterNetworkV6;
        batch.Begin(type, flags, new IfAddrMsg
        {
            Family = ipv6 ? Af.Inet6 : Af.Inet,
            PrefixLength = (byte)entry.PrefixLength,
            Flags = ipv6 && type == Rtm.NewAddress ? Ifa.NoDad : (byte)0,
            Index = (uint)index,
        });
        batch.Put(Ifa.Local, entry.Address);
        batch.Put(Ifa.Address, entry.Address);
        batch.End();
    }
}
