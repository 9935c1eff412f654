using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Unicode;

namespace Overlay.Gossip.Tables;

/// <summary>Reads the table format; the first thing that is wrong makes every later read fail.</summary>
internal ref struct TableReader(ReadOnlySpan<byte> bytes)
{
    private ReadOnlySpan<byte> rest = bytes;

    public readonly bool IsAtEnd => rest.IsEmpty;

    public readonly int Remaining => rest.Length;

    public readonly ReadOnlySpan<byte> Rest => rest;

    public bool TryReadByte(out byte value)
    {
        if (rest.IsEmpty)
        {
            value = 0;
            return false;
        }

        value = rest[0];
        rest = rest[1..];
        return true;
    }

    /// <summary>LEB128, at most ten bytes.</summary>
    public bool TryReadNumber(out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (!TryReadByte(out byte part) || (shift == 63 && part > 1))
            {
                return false;
            }

            value |= (ulong)(part & 0x7f) << shift;
            if (part < 0x80)
            {
                return true;
            }
        }

        return false;
    }

    public bool TryReadCount(int smallest, out int count)
    {
        bool read = TryReadNumber(out ulong value) && value <= (ulong)(rest.Length / smallest);
        count = read ? (int)value : 0;
        return read;
    }

    public bool TryReadBytes(int max, out ReadOnlySpan<byte> value)
    {
        value = default;
        if (!TryReadNumber(out ulong length) || length > (ulong)max || length > (ulong)rest.Length)
        {
            return false;
        }

        value = rest[..(int)length];
        rest = rest[(int)length..];
        return true;
    }

    public bool TryReadUtf8(int max, out ReadOnlySpan<byte> text) => TryReadBytes(max, out text) && Utf8.IsValid(text);

    public bool TryReadText(int max, [NotNullWhen(true)] out string? text)
    {
        text = TryReadUtf8(max, out ReadOnlySpan<byte> utf8) ? Encoding.UTF8.GetString(utf8) : null;
        return text is not null;
    }

    public bool TryReadFingerprint(out ReadOnlySpan<byte> network, out ulong fingerprint)
    {
        fingerprint = 0;
        return TryReadUtf8(TableCodec.MaxTextBytes, out network) && TryReadNumber(out fingerprint);
    }

    public bool TryReadLine(out ReadOnlySpan<byte> owner, out ulong epoch, out ulong version)
    {
        epoch = 0;
        version = 0;
        return TryReadUtf8(TableCodec.MaxTextBytes, out owner) && TryReadNumber(out epoch) && TryReadNumber(out version);
    }

    public bool TryReadItem(
        out ReadOnlySpan<byte> key, out ulong version, out bool isDeleted, out ReadOnlySpan<byte> value)
    {
        version = 0;
        value = default;
        isDeleted = false;
        if (!TryReadUtf8(TableCodec.MaxTextBytes, out key) || !TryReadNumber(out version)
            || !TryReadByte(out byte present) || present > 1)
        {
            return false;
        }

        isDeleted = present == 0;
        return isDeleted || TryReadBytes(TableCodec.MaxValueBytes, out value);
    }
}
