using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace Overlay.Gossip.Wire;

/// <summary>
/// Writes go-msgpack's old dialect: minimal unsigned integers, and one raw family for strings and bytes.
/// </summary>
internal readonly ref struct MsgPackWriter(IBufferWriter<byte> output)
{
    public void MapHeader(int count)
    {
        if (count <= 15)
        {
            Byte((byte)(0x80 | count));
        }
        else
        {
            Byte(0xde);
            Big16((ushort)count);
        }
    }

    public void ArrayHeader(int count)
    {
        if (count <= 15)
        {
            Byte((byte)(0x90 | count));
        }
        else
        {
            Byte(0xdc);
            Big16((ushort)count);
        }
    }

    public void Nil() => Byte(0xc0);

    public void Double(double value)
    {
        Byte(0xcb);
        BinaryPrimitives.WriteDoubleBigEndian(output.GetSpan(8), value);
        output.Advance(8);
    }

    public void Key(ReadOnlySpan<byte> utf8) => Raw(utf8);

    public void Unsigned(ulong value)
    {
        switch (value)
        {
            case <= 0x7f:
                Byte((byte)value);
                break;
            case <= byte.MaxValue:
                Byte(0xcc);
                Byte((byte)value);
                break;
            case <= ushort.MaxValue:
                Byte(0xcd);
                Big16((ushort)value);
                break;
            case <= uint.MaxValue:
                Byte(0xce);
                Big32((uint)value);
                break;
            default:
                Byte(0xcf);
                BinaryPrimitives.WriteUInt64BigEndian(output.GetSpan(8), value);
                output.Advance(8);
                break;
        }
    }

    public void Bool(bool value) => Byte(value ? (byte)0xc3 : (byte)0xc2);

    /// <summary>An empty slice is nil, as Go's nil slice is.</summary>
    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty)
        {
            Byte(0xc0);
        }
        else
        {
            Raw(bytes);
        }
    }

    public void String(string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        RawHeader(length);
        Encoding.UTF8.GetBytes(text, output.GetSpan(length));
        output.Advance(length);
    }

    public void Raw(ReadOnlySpan<byte> bytes)
    {
        RawHeader(bytes.Length);
        output.Write(bytes);
    }

    private void RawHeader(int length)
    {
        switch (length)
        {
            case <= 31:
                Byte((byte)(0xa0 | length));
                break;
            case <= ushort.MaxValue:
                Byte(0xda);
                Big16((ushort)length);
                break;
            default:
                Byte(0xdb);
                Big32((uint)length);
                break;
        }
    }

    private void Byte(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    private void Big16(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(output.GetSpan(2), value);
        output.Advance(2);
    }

    private void Big32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(output.GetSpan(4), value);
        output.Advance(4);
    }
}
