namespace Overlay.Linux.Netlink;

/// <summary>linux/netlink.h.</summary>
internal static class NetlinkConstants
{
    public const int Route = 0;
    public const int Netfilter = 12;
    public const int Generic = 16;

    public const int HeaderSize = 16;
    public const int AttributeHeaderSize = 4;

    public const ushort TypeNoop = 1;
    public const ushort TypeError = 2;
    public const ushort TypeDone = 3;
    public const ushort TypeOverrun = 4;

    public const ushort Request = 0x1;
    public const ushort Multi = 0x2;
    public const ushort Ack = 0x4;
    public const ushort DumpInterrupted = 0x10;
    public const ushort Root = 0x100;
    public const ushort Replace = 0x100;
    public const ushort Match = 0x200;
    public const ushort Exclusive = 0x200;
    public const ushort Create = 0x400;
    public const ushort Append = 0x800;
    public const ushort Dump = Root | Match;

    /// <summary>On an error message: the request is not repeated in it.</summary>
    public const ushort Capped = 0x100;

    /// <summary>On an error message: attributes follow.</summary>
    public const ushort AckHasAttributes = 0x200;

    /// <summary>NLMSGERR_ATTR_MSG.</summary>
    public const ushort ErrorText = 1;

    public const int OptionAddMembership = 1;
    public const int OptionCapAck = 10;
    public const int OptionExtendedAck = 11;
    public const int OptionStrictCheck = 12;

    public const ushort AttributeTypeMask = 0x3fff;

    public static int Align(int length) => (length + 3) & ~3;
}
