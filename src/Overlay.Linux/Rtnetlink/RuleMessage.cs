using System.Net;
using System.Net.Sockets;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Rtnetlink;

/// <summary>A rule as RTM_NEWRULE tells it.</summary>
/// <param name="Protocol">Who made it; 0: the kernel, or a program that does not say.</param>
internal readonly record struct RuleRecord(RuleEntry Entry, byte Protocol);

/// <summary>Requests about routing rules, and their parsing (linux/fib_rules.h).</summary>
internal static class RuleMessage
{
    public static void Dump(MessageBuilder batch, byte family)
    {
        batch.Begin(Rtm.GetRule, NetlinkConstants.Dump, new FibRuleHdr { Family = family });
        batch.End();
    }

    /// <summary>Refused with EEXIST where there is exactly this rule.</summary>
    public static void Add(MessageBuilder batch, RuleEntry entry) =>
        Write(batch, Rtm.NewRule, NetlinkConstants.Create | NetlinkConstants.Exclusive, entry);

    public static void Delete(MessageBuilder batch, RuleEntry entry) => Write(batch, Rtm.DeleteRule, 0, entry);

    /// <summary>Of rules that choose by a source, or a whole mark.</summary>
    public static bool TryParse(NetlinkMessage message, out RuleRecord record)
    {
        record = default;
        if (message.Header.Type != Rtm.NewRule || !message.TryRead(out FibRuleHdr header, out AttributeReader attributes)
            || header is not ({ Family: Af.Inet, SourceLength: <= 32 } or { Family: Af.Inet6, SourceLength: <= 128 })
            || header is not { Action: Fra.ToTable, DestinationLength: 0 })
        {
            return false;
        }

        IPAddress source = header.Family == Af.Inet6 ? IPAddress.IPv6Any : IPAddress.Any;
        int table = header.Table;
        int priority = 0;
        byte protocol = 0;
        uint mark = 0;
        uint mask = uint.MaxValue;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            switch (attribute.Type)
            {
                case Fra.Source:
                    source = attribute.Address ?? source;
                    break;
                case Fra.Table:
                    table = attribute.Int32;
                    break;
                case Fra.Priority:
                    priority = attribute.Int32;
                    break;
                case Fra.Mark:
                    mark = attribute.UInt32;
                    break;
                case Fra.Mask:
                    mask = attribute.UInt32;
                    break;
                case Fra.Protocol:
                    protocol = attribute.Byte;
                    break;
                default:
                    break;
            }
        }

        if (mask is not (0 or uint.MaxValue) || (source.AddressFamily == AddressFamily.InterNetworkV6) != (header.Family == Af.Inet6)
            || !RouteMessage.TryMakeNetwork(source, header.SourceLength, out IPNetwork network))
        {
            return false;
        }

        record = new(new(network, table, priority, mark), protocol);
        return true;
    }

    private static void Write(MessageBuilder batch, ushort type, ushort flags, RuleEntry entry)
    {
        batch.Begin(type, flags, new FibRuleHdr
        {
            Family = entry.Source.BaseAddress.AddressFamily == AddressFamily.InterNetworkV6 ? Af.Inet6 : Af.Inet,
            SourceLength = (byte)entry.Source.PrefixLength,
            Table = Rta.HeaderTable(entry.Table),
            Action = Fra.ToTable,
        });
        if (entry.Source.PrefixLength > 0)
        {
            batch.Put(Fra.Source, entry.Source.BaseAddress);
        }

        if (entry.Mark != 0)
        {
            batch.Put(Fra.Mark, entry.Mark);
        }

        if (entry.Table > byte.MaxValue)
        {
            batch.Put(Fra.Table, entry.Table);
        }

        batch.Put(Fra.Priority, entry.Priority);
        batch.Put(Fra.Protocol, RouteEntry.Protocol);
        batch.End();
    }
}
