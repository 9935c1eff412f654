namespace Overlay.Gossip.Wire;

/// <summary>
/// Decodes LZW as Go's compress/lzw writes it: least significant bit first, 8-bit literals, codes of 9 to 12 bits that
/// grow when the table reaches the next power of two. Encoding is optional in memberlist and not done here.
/// </summary>
internal static class Lzw
{
    private const int Clear = 256;
    private const int End = 257;
    private const int First = 258;
    private const int MaxWidth = 12;
    private const int MaxCodes = 1 << MaxWidth;

    /// <summary>False: the input is not LZW, or becomes longer than the limit.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> input, int limit, out byte[] output)
    {
        Span<ushort> prefixes = stackalloc ushort[MaxCodes];
        Span<byte> suffixes = stackalloc byte[MaxCodes];
        Span<byte> scratch = stackalloc byte[MaxCodes];
        List<byte> decoded = new(Math.Min(input.Length * 4, limit));
        int width = 9;
        int next = First;
        int previous = -1;
        byte previousFirst = 0;
        uint bits = 0;
        int held = 0;
        int position = 0;
        output = [];
        while (true)
        {
            while (held < width)
            {
                if (position == input.Length)
                {
                    return false;
                }

                bits |= (uint)input[position++] << held;
                held += 8;
            }

            int code = (int)(bits & ((1u << width) - 1));
            bits >>= width;
            held -= width;
            if (code == End)
            {
                output = [.. decoded];
                return true;
            }

            if (code == Clear)
            {
                width = 9;
                next = First;
                previous = -1;
                continue;
            }

            // A code may be one ahead of the table: then it is the previous string and its own first byte.
            if (code > next || (code == next && previous < 0) || (code >= First && previous < 0))
            {
                return false;
            }

            int length = 0;
            int walk = code;
            if (code == next)
            {
                scratch[MaxCodes - 1 - length++] = previousFirst;
                walk = previous;
            }

            while (walk >= First)
            {
                scratch[MaxCodes - 1 - length++] = suffixes[walk];
                walk = prefixes[walk];
            }

            scratch[MaxCodes - 1 - length++] = (byte)walk;
            ReadOnlySpan<byte> text = scratch[(MaxCodes - length)..];
            if (decoded.Count + length > limit)
            {
                return false;
            }

            decoded.AddRange(text);
            if (previous >= 0 && next < MaxCodes)
            {
                prefixes[next] = (ushort)previous;
                suffixes[next] = text[0];
                next++;
            }

            // The writer widens as soon as its own table, one entry ahead of this one, fills the width.
            if (next + 1 > 1 << width && width < MaxWidth)
            {
                width++;
            }

            previous = code;
            previousFirst = text[0];
        }
    }
}
