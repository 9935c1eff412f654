using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Overlay.Linux.Native;

namespace Overlay.Linux.Netlink;

/// <summary>
/// Walks the messages of one received buffer. Bounds are checked first; a malformed length ends the walk and sets
/// <see cref="Malformed"/>.
/// </summary>
internal ref struct MessageReader(ReadOnlySpan<byte> buffer)
{
    private ReadOnlySpan<byte> rest = buffer;

    public bool Malformed { get; private set; }

    public bool TryNext(out NetlinkMessage message)
    {
        message = default;
        if (rest.Length < NetlinkConstants.HeaderSize)
        {
            Malformed |= !rest.IsEmpty;
            rest = default;
            return false;
        }

        NlMsgHdr header = MemoryMarshal.Read<NlMsgHdr>(rest);
        if (header.Length < NetlinkConstants.HeaderSize || header.Length > (uint)rest.Length)
        {
            Malformed = true;
            rest = default;
            return false;
        }

        int length = (int)header.Length;
        message = new(header, rest[NetlinkConstants.HeaderSize..length]);
        rest = rest[Math.Min(NetlinkConstants.Align(length), rest.Length)..];
        return true;
    }
}

/// <summary>One message: header and what follows it.</summary>
internal readonly ref struct NetlinkMessage(NlMsgHdr header, ReadOnlySpan<byte> payload)
{
    public NlMsgHdr Header { get; } = header;

    public ReadOnlySpan<byte> Payload { get; } = payload;

    /// <summary>Reads the fixed structure and gives the attributes after it; false: too short.</summary>
    public bool TryRead<THeader>(out THeader fixedPart, out AttributeReader attributes)
        where THeader : unmanaged
    {
        int size = Unsafe.SizeOf<THeader>();
        if (Payload.Length < size)
        {
            fixedPart = default;
            attributes = default;
            return false;
        }

        fixedPart = MemoryMarshal.Read<THeader>(Payload);
        attributes = new(Payload[Math.Min(NetlinkConstants.Align(size), Payload.Length)..]);
        return true;
    }
}
