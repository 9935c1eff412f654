using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Overlay.Gossip.Tables;

/// <summary>Reads the table format; the first thing that is wrong makes every later read fail.</summary>
internal ref struct TableReader(ReadOnlySpan<byte> bytes)
{
    private static readonly UTF8Encoding Strict = new(false, throwOnInvalidBytes: true);

    private ReadOnlySpan<byte> rest = bytes;

    public readonly bool IsAtEnd => rest.IsEmpty;

    public readonly int Remaining => rest.Length;

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

    public bool TryReadText(int max, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (!TryReadBytes(max, out ReadOnlySpan<byte> utf8) || !System.Text.Unicode.Utf8.IsValid(utf8))
        {
            return false;
        }

        text = Strict.GetString(utf8);
        return true;
    }
}
