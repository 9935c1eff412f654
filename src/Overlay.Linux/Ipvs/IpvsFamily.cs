using System.Buffers.Binary;
using Overlay.Linux.Native;
using Overlay.Linux.Netlink;

namespace Overlay.Linux.Ipvs;

/// <summary>The generic netlink family of IPVS: its number, which the kernel gives when the module is loaded.</summary>
internal sealed class IpvsFamily
{
    private const string Name = "IPVS";

    /// <summary>GENL_ID_CTRL, CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_ID, CTRL_ATTR_FAMILY_NAME (linux/genetlink.h).</summary>
    private const ushort Controller = 16;
    private const byte GetFamily = 3;
    private const ushort FamilyId = 1;
    private const ushort FamilyName = 2;

    /// <summary>0: the kernel has none, or was not asked.</summary>
    public ushort Number { get; private set; }

    /// <summary>Asks for it, which loads the module where there is one.</summary>
    /// <returns>Null, or what is wrong.</returns>
    public string? Find(NetlinkSocket generic)
    {
        MessageBuilder request = generic.NewBatch();
        request.Begin(Controller, 0, new GenlMsgHdr { Command = GetFamily, Version = 1 });
        request.Put(FamilyName, Name);
        request.End();
        int errno = generic.Get<ushort>(request, TryParse, out ushort number);
        Number = errno == 0 ? number : (ushort)0;
        return errno == 0 ? null : $"the kernel has no IPVS ({Errno.Name(errno)})";
    }

    private static bool TryParse(NetlinkMessage message, out ushort number)
    {
        number = 0;
        if (!message.TryRead(out GenlMsgHdr _, out AttributeReader attributes))
        {
            return false;
        }

        while (attributes.TryNext(out NetlinkAttribute attribute))
        {
            if (attribute.Type == FamilyId && attribute.Value.Length == sizeof(ushort))
            {
                number = BitConverter.IsLittleEndian
                    ? BinaryPrimitives.ReadUInt16LittleEndian(attribute.Value) : BinaryPrimitives.ReadUInt16BigEndian(attribute.Value);
            }
        }

        return number != 0;
    }
}
