using Overlay.Linux.Execution;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux.Events;

/// <summary>
/// Which notifications tell of a change that a plan could be about. Our own are told apart where the kernel says who
/// did it: rtnetlink mostly fills in the port id of the asker, nftables the name of the asking thread. It does not
/// for forwarding entries, so that our own FDB changes pass as foreign.
/// </summary>
internal static class ChangeFilter
{
    private const ushort NftablesGeneration = (10 << 8) | 15;
    private const ushort GenerationThreadName = 3;

    /// <summary>A malformed datagram counts as a change: looking once too often does no harm.</summary>
    public static bool IsForeignChange(ReadOnlySpan<byte> datagram)
    {
        MessageReader reader = new(datagram);
        while (reader.TryNext(out NetlinkMessage message))
        {
            if (!OwnPorts.Contains(message.Header.PortId) && Matters(message))
            {
                return true;
            }
        }

        return reader.Malformed;
    }

    private static bool Matters(NetlinkMessage message) => message.Header.Type switch
    {
        // A bridge tells of its ports a second time, in its own family; routes that the kernel makes follow addresses.
        Rtm.NewLink or Rtm.DeleteLink => message.Payload is not [Af.Bridge, ..],
        Rtm.NewAddress or Rtm.DeleteAddress or Rtm.NewRule or Rtm.DeleteRule => true,
        Rtm.NewRoute or Rtm.DeleteRoute => !message.TryRead(out RtMsg route, out _) || route.Protocol != Rta.ByKernel,
        Rtm.NewNeighbour or Rtm.DeleteNeighbour => NeighbourMatters(message),
        NftablesGeneration => !IsOwnGeneration(message),
        _ => false,
    };

    /// <summary>Not what bridges learn, and not the states that ordinary neighbours go through.</summary>
    private static bool NeighbourMatters(NetlinkMessage message)
    {
        if (!NeighbourMessage.TryParse(message, out NeighbourRecord entry))
        {
            return true;
        }

        const ushort Lasting = Nda.Permanent | Nda.NoArp;
        return entry.Family == Af.Bridge
            ? (entry.Flags & Nda.Self) != 0 && (entry.State & Lasting) != 0
            : message.Header.Type == Rtm.DeleteNeighbour || (entry.State & Lasting) != 0;
    }

    private static bool IsOwnGeneration(NetlinkMessage message)
    {
        if (!message.TryRead(out NfGenMsg _, out AttributeReader attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == GenerationThreadName)
            {
                return attribute.Text == KernelThread.Name;
            }
        }

        return false;
    }
}
