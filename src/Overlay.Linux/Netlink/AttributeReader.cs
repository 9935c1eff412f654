using System.Net;
using System.Runtime.InteropServices;
using System.Text;
using Overlay.Primitives;

namespace Overlay.Linux.Netlink;

/// <summary>Walks attributes (type, length, value); a malformed length ends the walk.</summary>
internal ref struct AttributeReader(ReadOnlySpan<byte> buffer)
{
    private ReadOnlySpan<byte> rest = buffer;

    public bool TryNext(out NetlinkAttribute attribute)
    {
        attribute = default;
        if (rest.Length < NetlinkConstants.AttributeHeaderSize)
        {
            return false;
        }

        ushort length = MemoryMarshal.Read<ushort>(rest);
        ushort type = MemoryMarshal.Read<ushort>(rest[2..]);
        if (length < NetlinkConstants.AttributeHeaderSize || length > rest.Length)
        {
            rest = default;
            return false;
        }

        attribute = new(
            (ushort)(type & NetlinkConstants.AttributeTypeMask), rest[NetlinkConstants.AttributeHeaderSize..length]);
        rest = rest[Math.Min(NetlinkConstants.Align(length), rest.Length)..];
        return true;
    }
}

/// <summary>One attribute; a value of the wrong size reads as the type's zero or null.</summary>
internal readonly ref struct NetlinkAttribute(ushort type, ReadOnlySpan<byte> value)
{
    public ushort Type { get; } = type;

    public ReadOnlySpan<byte> Value { get; } = value;

    public AttributeReader Nested => new(Value);

    public byte Byte => Value.Length >= 1 ? Value[0] : (byte)0;

    public bool Flag => Byte != 0;

    public uint UInt32 => Value.Length >= 4 ? MemoryMarshal.Read<uint>(Value) : 0;

    public int Int32 => (int)UInt32;

    /// <summary>A 16-bit number in network byte order.</summary>
    public int Port => Value.Length >= 2 ? (Value[0] << 8) | Value[1] : 0;

    public MacAddress? Mac => Value.Length == 6 ? MacAddress.FromBytes(Value) : null;

    public IPAddress? Address => Value.Length is 4 or 16 ? new IPAddress(Value) : null;

    /// <summary>Up to the first zero byte.</summary>
    public string Text
    {
        get
        {
            int end = Value.IndexOf((byte)0);
            return Encoding.UTF8.GetString(end < 0 ? Value : Value[..end]);
        }
    }
}
