using System.Net;
using Overlay.Dataplane;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;
using Overlay.Primitives;

namespace Overlay.Linux.Rtnetlink;

/// <summary>An interface as RTM_NEWLINK tells it; indices instead of names.</summary>
internal sealed record LinkRecord
{
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required LinkKind Kind { get; init; }

    public MacAddress? Mac { get; init; }

    public int Mtu { get; init; }

    public bool Up { get; init; }

    public int Master { get; init; }

    /// <summary>Index of the device below, or of the other end of a veth pair.</summary>
    public int Lower { get; init; }

    /// <summary>The id, in this namespace, of the one that <see cref="Lower"/> is in; null: the same.</summary>
    public int? LowerNamespace { get; init; }

    public string Alias { get; init; } = "";

    /// <summary>Of a bridge port.</summary>
    public bool Isolated { get; init; }

    public VxlanAttributes? Vxlan { get; init; }

    public static bool TryParse(NetlinkMessage message, out LinkRecord record)
    {
        record = null!;
        if (message.Header.Type != Rtm.NewLink
            || !message.TryRead(out IfInfoMsg info, out AttributeReader attributes) || info.Index <= 0)
        {
            return false;
        }

        LinkRecord link = new()
        {
            Index = info.Index,
            Name = "",
            Kind = info.DeviceType == Ifla.DeviceLoopback ? LinkKind.Loopback : LinkKind.Other,
            Up = (info.Flags & Ifla.Up) != 0,
        };
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            link = attribute.Type switch
            {
                Ifla.Name => link with { Name = attribute.Text },
                Ifla.Address => link with { Mac = attribute.Mac },
                Ifla.Mtu => link with { Mtu = attribute.Int32 },
                Ifla.Link => link with { Lower = attribute.Int32 },
                Ifla.Master => link with { Master = attribute.Int32 },
                Ifla.Alias => link with { Alias = attribute.Text },
                Ifla.LinkNamespaceId => link with { LowerNamespace = attribute.Int32 },
                Ifla.LinkInfo => WithInfo(link, attribute.Nested),
                _ => link,
            };
        }

        record = link;
        return link.Name.Length > 0;
    }

    private static LinkRecord WithInfo(LinkRecord link, AttributeReader attributes)
    {
        string kind = "";
        AttributeReader data = default;
        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == Ifla.InfoKind)
            {
                kind = attribute.Text;
            }
            else if (attribute.Type == Ifla.InfoData)
            {
                data = attribute.Nested;
            }
            else if (attribute.Type == Ifla.InfoPortData)
            {
                link = link with { Isolated = ReadIsolated(attribute.Nested) };
            }
        }

        return kind switch
        {
            "bridge" => link with { Kind = LinkKind.Bridge },
            "veth" => link with { Kind = LinkKind.Veth },
            "vxlan" => link with { Kind = LinkKind.Vxlan, Vxlan = ReadVxlan(data) },
            _ => link,
        };
    }

    private static bool ReadIsolated(AttributeReader data)
    {
        bool isolated = false;
        while (data.TryNext(out NetlinkAttribute attribute))
        {
            isolated = attribute.Type == Ifla.PortIsolated ? attribute.Flag : isolated;
        }

        return isolated;
    }

    private static VxlanAttributes ReadVxlan(AttributeReader data)
    {
        VxlanAttributes vxlan = new(default, IPAddress.Any, 0, false, false, false, false);
        while (data.TryNext(out NetlinkAttribute attribute))
        {
            vxlan = attribute.Type switch
            {
                IflaVxlan.Id => vxlan with { Vni = new(attribute.UInt32) },
                IflaVxlan.Local or IflaVxlan.Local6 => vxlan with { Local = attribute.Address ?? vxlan.Local },
                IflaVxlan.Port => vxlan with { Port = attribute.Port },
                IflaVxlan.Learning => vxlan with { Learning = attribute.Flag },
                IflaVxlan.Proxy => vxlan with { Proxy = attribute.Flag },
                IflaVxlan.L2Miss => vxlan with { L2Miss = attribute.Flag },
                IflaVxlan.L3Miss => vxlan with { L3Miss = attribute.Flag },
                _ => vxlan,
            };
        }

        return vxlan;
    }
}
