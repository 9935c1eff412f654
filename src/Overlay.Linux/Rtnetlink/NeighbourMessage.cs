using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Primitives;

namespace Overlay.Linux.Rtnetlink;

/// <summary>A neighbour or forwarding entry as RTM_NEWNEIGH tells it.</summary>
internal readonly record struct NeighbourRecord(
    byte Family, int Index, ushort State, byte Flags, IPAddress? Destination, MacAddress? Mac);

/// <summary>Requests about neighbours (ARP, ND) and forwarding entries, which share one message.</summary>
internal static class NeighbourMessage
{
    public static void Dump(MessageBuilder batch, int index)
    {
        batch.Begin(Rtm.GetNeighbour, NetlinkConstants.Dump, new NdMsg());
        batch.Put(Nda.IfIndex, index);
        batch.End();
    }

    public static void DumpFdb(MessageBuilder batch, int index)
    {
        batch.Begin(Rtm.GetNeighbour, NetlinkConstants.Dump, new NdMsg { Family = Af.Bridge, Index = index });
        batch.End();
    }

    public static void Replace(MessageBuilder batch, int index, NeighbourEntry entry)
    {
        batch.Begin(
            Rtm.NewNeighbour,
            NetlinkConstants.Create | NetlinkConstants.Replace,
            new NdMsg { Family = FamilyOf(entry.Address), Index = index, State = Nda.Permanent });
        batch.Put(Nda.Destination, entry.Address);
        batch.Put(Nda.LinkAddress, entry.Mac);
        batch.End();
    }

    public static void Delete(MessageBuilder batch, int index, NeighbourEntry entry)
    {
        batch.Begin(Rtm.DeleteNeighbour, 0, new NdMsg { Family = FamilyOf(entry.Address), Index = index });
        batch.Put(Nda.Destination, entry.Address);
        batch.End();
    }

    /// <summary>
    /// A unicast MAC has one destination, which is replaced. The kernel refuses to replace those of the zero MAC and
    /// of groups, which have a list: there an entry is added.
    /// </summary>
    public static void ReplaceFdb(MessageBuilder batch, int index, FdbEntry entry)
    {
        ushort mode = entry.Mac.IsZero || entry.Mac.IsMulticast ? NetlinkConstants.Append : NetlinkConstants.Replace;
        WriteFdb(batch, Rtm.NewNeighbour, (ushort)(NetlinkConstants.Create | mode), index, entry);
    }

    /// <summary>Names the VTEP too, so that an entry that has meanwhile moved to another is left alone.</summary>
    public static void DeleteFdb(MessageBuilder batch, int index, FdbEntry entry) =>
        WriteFdb(batch, Rtm.DeleteNeighbour, 0, index, entry);

    public static bool TryParse(NetlinkMessage message, out NeighbourRecord record)
    {
        record = default;
        if (message.Header.Type is not (Rtm.NewNeighbour or Rtm.DeleteNeighbour)
            || !message.TryRead(out NdMsg header, out AttributeReader attributes))
        {
            return false;
        }

        IPAddress? destination = null;
        MacAddress? mac = null;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Nda.Destination:
                    destination = attribute.Address;
                    break;
                case Nda.LinkAddress:
                    mac = attribute.Mac;
                    break;
                default:
                    break;
            }
        }

        record = new(header.Family, header.Index, header.State, header.Flags, destination, mac);
        return true;
    }

    private static void WriteFdb(MessageBuilder batch, ushort type, ushort flags, int index, FdbEntry entry)
    {
        batch.Begin(
            type,
            flags,
            new NdMsg { Family = Af.Bridge, Index = index, State = Nda.Permanent, Flags = Nda.Self });
        batch.Put(Nda.LinkAddress, entry.Mac);
        batch.Put(Nda.Destination, entry.Vtep);
        batch.End();
    }

    private static byte FamilyOf(IPAddress address) =>
        address.AddressFamily == AddressFamily.InterNetworkV6 ? Af.Inet6 : Af.Inet;
}
