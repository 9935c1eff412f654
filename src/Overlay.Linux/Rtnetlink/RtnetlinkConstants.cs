namespace Overlay.Linux.Rtnetlink;

/// <summary>Message types, flags and attributes of linux/rtnetlink.h, if_link.h, if_addr.h and neighbour.h.</summary>
internal static class Rtm
{
    public const ushort NewLink = 16;
    public const ushort DeleteLink = 17;
    public const ushort GetLink = 18;
    public const ushort NewAddress = 20;
    public const ushort DeleteAddress = 21;
    public const ushort GetAddress = 22;
    public const ushort NewRoute = 24;
    public const ushort DeleteRoute = 25;
    public const ushort GetRoute = 26;
    public const ushort NewNeighbour = 28;
    public const ushort DeleteNeighbour = 29;
    public const ushort GetNeighbour = 30;
    public const ushort NewRule = 32;
    public const ushort DeleteRule = 33;
    public const ushort GetRule = 34;
    public const ushort NewNamespaceId = 88;
    public const ushort GetNamespaceId = 90;
}

internal static class Ifla
{
    public const ushort Address = 1;
    public const ushort Name = 3;
    public const ushort Mtu = 4;
    public const ushort Link = 5;
    public const ushort Master = 10;
    public const ushort LinkInfo = 18;
    public const ushort Alias = 20;
    public const ushort NamespaceDescriptor = 28;
    public const ushort LinkNamespaceId = 37;

    public const ushort InfoKind = 1;
    public const ushort InfoData = 2;
    public const ushort InfoPortKind = 4;
    public const ushort InfoPortData = 5;
    public const ushort PortIsolated = 33;
    public const ushort VethPeer = 1;

    public const uint Up = 0x1;
    public const ushort DeviceLoopback = 772;
}

internal static class IflaVxlan
{
    public const ushort Id = 1;
    public const ushort Local = 4;
    public const ushort Learning = 7;
    public const ushort Proxy = 11;
    public const ushort L2Miss = 13;
    public const ushort L3Miss = 14;
    public const ushort Port = 15;
    public const ushort Local6 = 17;
}

internal static class Ifa
{
    public const ushort Address = 1;
    public const ushort Local = 2;
    public const byte NoDad = 0x02;
}

internal static class Nda
{
    public const ushort Destination = 1;
    public const ushort LinkAddress = 2;
    public const ushort IfIndex = 8;

    public const ushort Permanent = 0x80;
    public const ushort NoArp = 0x40;
    public const byte Self = 0x02;
}

internal static class Rta
{
    public const ushort Destination = 1;
    public const ushort Device = 4;
    public const ushort Gateway = 5;
    public const ushort Priority = 6;
    public const ushort Multipath = 9;
    public const ushort Table = 15;

    /// <summary>RTPROT_KERNEL.</summary>
    public const byte ByKernel = 2;

    /// <summary>In a request for a dump: those of all tables.</summary>
    public const byte AllTables = 0;

    public const byte MainTable = 254;

    /// <summary>What the header has room for; RT_TABLE_UNSPEC where an attribute says it.</summary>
    public static byte HeaderTable(int table) => table <= byte.MaxValue ? (byte)table : AllTables;
    public const byte Unicast = 1;
    public const byte ScopeUniverse = 0;
    public const byte ScopeLink = 253;
    public const byte ScopeNowhere = 255;
}

/// <summary>Attributes and the one action of linux/fib_rules.h.</summary>
internal static class Fra
{
    public const ushort Source = 2;
    public const ushort Priority = 6;
    public const ushort Mark = 10;
    public const ushort Table = 15;
    public const ushort Mask = 16;
    public const ushort Protocol = 21;

    /// <summary>FR_ACT_TO_TBL.</summary>
    public const byte ToTable = 1;
}

internal static class Af
{
    public const byte Unspecified = 0;
    public const byte Inet = 2;
    public const byte Bridge = 7;
    public const byte Inet6 = 10;
}
