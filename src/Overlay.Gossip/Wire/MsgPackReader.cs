using System.Buffers.Binary;
using System.Text;

namespace Overlay.Gossip.Wire;

/// <summary>
/// Reads the part of MessagePack that go-msgpack's old dialect uses, and the newer forms it accepts. Every read is
/// checked against the end; the first that fails leaves <see cref="Failed"/> set and later ones return nothing.
/// Of a stream that is still arriving, <see cref="EndedEarly"/> tells what is short from what is wrong.
/// </summary>
internal ref struct MsgPackReader(ReadOnlySpan<byte> bytes)
{
    private const int MaxSkipDepth = 16;
    private ReadOnlySpan<byte> rest = bytes;

    public bool Failed { get; private set; }

    /// <summary>It failed because the bytes ended, and more of them might have satisfied it.</summary>
    public bool EndedEarly { get; private set; }

    public readonly int Remaining => rest.Length;

    public int ReadMapHeader()
    {
        byte tag = ReadByte();
        return tag switch
        {
            >= 0x80 and <= 0x8f => tag & 0x0f,
            0xde => ReadUInt16(),
            0xdf => Count(ReadUInt32()),
            0xc0 => 0,
            _ => Fail(),
        };
    }

    public int ReadArrayHeader()
    {
        byte tag = ReadByte();
        return tag switch
        {
            >= 0x90 and <= 0x9f => tag & 0x0f,
            0xdc => ReadUInt16(),
            0xdd => Count(ReadUInt32()),
            0xc0 => 0,
            _ => Fail(),
        };
    }

    /// <summary>Strings and byte slices share one family; nil is empty.</summary>
    public ReadOnlySpan<byte> ReadRaw()
    {
        byte tag = ReadByte();
        int length = tag switch
        {
            >= 0xa0 and <= 0xbf => tag & 0x1f,
            0xd9 or 0xc4 => ReadByte(),
            0xda or 0xc5 => ReadUInt16(),
            0xdb or 0xc6 => Count(ReadUInt32()),
            0xc0 => 0,
            _ => Fail(),
        };
        return Take(length);
    }

    public ReadOnlySpan<byte> ReadRaw(int maxBytes)
    {
        ReadOnlySpan<byte> raw = ReadRaw();
        if (raw.Length > maxBytes)
        {
            Fail();
            return [];
        }

        return raw;
    }

    public string ReadString(int maxBytes) => Encoding.UTF8.GetString(ReadRaw(maxBytes));

    public byte[] ReadBytes(int maxBytes) => ReadRaw(maxBytes).ToArray();

    /// <summary>Any integer form; a negative one fails.</summary>
    public ulong ReadUnsigned()
    {
        byte tag = ReadByte();
        long signed = tag switch
        {
            0xd0 => (sbyte)ReadByte(),
            0xd1 => (short)ReadUInt16(),
            0xd2 => (int)ReadUInt32(),
            0xd3 => (long)ReadUInt64(),
            >= 0xe0 => (sbyte)tag,
            _ => 0,
        };
        if (signed < 0)
        {
            Fail();
            return 0;
        }

        return tag switch
        {
            <= 0x7f => tag,
            0xcc => ReadByte(),
            0xcd => ReadUInt16(),
            0xce => ReadUInt32(),
            0xcf => ReadUInt64(),
            >= 0xd0 and <= 0xd3 => (ulong)signed,
            0xc0 => 0,
            _ => (ulong)Fail(),
        };
    }

    public uint ReadUInt32Value() => ReadUnsigned() is var value && value <= uint.MaxValue ? (uint)value : (uint)Fail();

    public ushort ReadUInt16Value() =>
        ReadUnsigned() is var value && value <= ushort.MaxValue ? (ushort)value : (ushort)Fail();

    /// <summary>Any number; serf writes float64.</summary>
    public double ReadDouble()
    {
        switch (rest.IsEmpty ? (byte)0 : rest[0])
        {
            case 0xcb:
                ReadByte();
                return BitConverter.UInt64BitsToDouble(ReadUInt64());
            case 0xca:
                ReadByte();
                return BitConverter.UInt32BitsToSingle(ReadUInt32());
            default:
                return ReadUnsigned();
        }
    }

    /// <summary>Whether the next value is nil; then it is passed over.</summary>
    public bool TryReadNil()
    {
        bool isNil = !rest.IsEmpty && rest[0] == 0xc0;
        Take(isNil ? 1 : 0);
        return isNil;
    }

    public bool ReadBool()
    {
        byte tag = ReadByte();
        return tag switch
        {
            0xc3 => true,
            0xc2 or 0xc0 => false,
            _ => Fail() != 0,
        };
    }

    /// <summary>Passes over one value of any type: unknown keys are other versions' extensions.</summary>
    public void Skip(int depth = 0)
    {
        if (rest.IsEmpty)
        {
            Take(1);
            return;
        }

        if (depth > MaxSkipDepth)
        {
            Fail();
            return;
        }

        byte tag = rest[0];
        switch (tag)
        {
            case >= 0x80 and <= 0x8f or 0xde or 0xdf:
                SkipMany(2L * ReadMapHeader(), depth);
                break;
            case >= 0x90 and <= 0x9f or 0xdc or 0xdd:
                SkipMany(ReadArrayHeader(), depth);
                break;
            case >= 0xa0 and <= 0xbf or 0xd9 or 0xda or 0xdb or 0xc4 or 0xc5 or 0xc6:
                ReadRaw();
                break;
            case 0xca:
                Take(5);
                break;
            case 0xcb:
                Take(9);
                break;
            case 0xc0 or 0xc2 or 0xc3:
                Take(1);
                break;
            case >= 0xd0 and <= 0xd3:
                Take(1 + (1 << (tag - 0xd0)));
                break;
            case >= 0xcc and <= 0xcf:
                Take(1 + (1 << (tag - 0xcc)));
                break;
            case <= 0x7f or >= 0xe0:
                Take(1);
                break;
            default:
                Fail();
                break;
        }
    }

    /// <summary>Takes bytes that are not MessagePack: payloads that follow a header.</summary>
    public ReadOnlySpan<byte> Take(int length)
    {
        if (Failed || length < 0 || length > rest.Length)
        {
            EndedEarly |= !Failed && length > rest.Length;
            Fail();
            return [];
        }

        ReadOnlySpan<byte> taken = rest[..length];
        rest = rest[length..];
        return taken;
    }

    private void SkipMany(long count, int depth)
    {
        for (long i = 0; i < count && !Failed; i++)
        {
            Skip(depth + 1);
        }
    }

    private byte ReadByte()
    {
        ReadOnlySpan<byte> one = Take(1);
        return one.IsEmpty ? (byte)0xc1 : one[0];
    }

    private ushort ReadUInt16() =>
        Take(2) is { IsEmpty: false } two ? BinaryPrimitives.ReadUInt16BigEndian(two) : (ushort)0;

    private uint ReadUInt32() => Take(4) is { IsEmpty: false } four ? BinaryPrimitives.ReadUInt32BigEndian(four) : 0;

    private ulong ReadUInt64() => Take(8) is { IsEmpty: false } eight ? BinaryPrimitives.ReadUInt64BigEndian(eight) : 0;

    /// <summary>A count cannot exceed the bytes that are left: each item has at least one.</summary>
    private int Count(uint value)
    {
        if (value <= (uint)rest.Length)
        {
            return (int)value;
        }

        EndedEarly |= !Failed && value <= WireLimits.MaxStreamBytes;
        return Fail();
    }

    internal int Fail()
    {
        Failed = true;
        rest = [];
        return 0;
    }
}
