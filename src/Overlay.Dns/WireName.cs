namespace Overlay.Dns;

/// <summary>
/// Names in wire form (RFC 1035 §3.1), here without the closing root label: each label is a length of 1 to 63
/// followed by its bytes. In this form a dot inside a label can not be taken for a separator.
/// </summary>
public static class WireName
{
    /// <summary>Bytes of the longest name, without its root label.</summary>
    public const int MaxLength = 254;

    public const int MaxLabel = 63;

    internal const int HeaderLength = 12;

    /// <summary>Compression pointers followed within one name; a real message needs one or two.</summary>
    private const int MaxJumps = 64;

    /// <summary>Encodes "web.blue", with or without a final dot. Only visible ASCII; no escapes.</summary>
    /// <param name="text">A name of at least one label.</param>
    /// <param name="wire">Room for <see cref="MaxLength"/> bytes.</param>
    public static bool TryEncode(ReadOnlySpan<char> text, Span<byte> wire, out int length)
    {
        length = 0;
        if (text.EndsWith("."))
        {
            text = text[..^1];
        }

        while (true)
        {
            int dot = text.IndexOf('.');
            ReadOnlySpan<char> label = dot < 0 ? text : text[..dot];
            if (label.Length is 0 or > MaxLabel || length + 1 + label.Length > Math.Min(MaxLength, wire.Length))
            {
                return false;
            }

            wire[length++] = (byte)label.Length;
            foreach (char c in label)
            {
                if (c is <= ' ' or > '~')
                {
                    return false;
                }

                wire[length++] = (byte)c;
            }

            if (dot < 0)
            {
                return true;
            }

            text = text[(dot + 1)..];
        }
    }

    /// <summary>
    /// Reads the name at <paramref name="offset"/> in lower case and moves the offset behind it. Pointers may only
    /// lead backwards, and only so many of them, so that no message makes this loop.
    /// </summary>
    /// <param name="name">Room for <see cref="MaxLength"/> bytes.</param>
    public static bool TryRead(ReadOnlySpan<byte> message, ref int offset, Span<byte> name, out int length)
    {
        length = 0;
        int at = offset;
        int barrier = offset;
        int jumps = 0;
        while ((uint)at < (uint)message.Length)
        {
            int head = message[at];
            if (head == 0)
            {
                offset = jumps == 0 ? at + 1 : offset;
                return true;
            }

            if (head >= 0xC0)
            {
                int target = at + 1 < message.Length ? ((head & 0x3F) << 8) | message[at + 1] : 0;
                if (target < HeaderLength || target >= barrier || jumps == MaxJumps)
                {
                    return false;
                }

                offset = jumps == 0 ? at + 2 : offset;
                jumps++;
                barrier = target;
                at = target;
                continue;
            }

            if (head > MaxLabel || at + 1 + head > message.Length || length + 1 + head > MaxLength)
            {
                return false;
            }

            CopyLower(message.Slice(at, 1 + head), name[length..]);
            length += 1 + head;
            at += 1 + head;
        }

        return false;
    }

    /// <summary>
    /// Lower case of ASCII letters (RFC 4343). Lengths of labels are below 'A' and so stay as they are.
    /// </summary>
    internal static void CopyLower(ReadOnlySpan<byte> source, Span<byte> target)
    {
        for (int i = 0; i < source.Length; i++)
        {
            byte b = source[i];
            target[i] = b is >= (byte)'A' and <= (byte)'Z' ? (byte)(b | 0x20) : b;
        }
    }

    /// <summary>Whether a label of the name begins at <paramref name="offset"/>.</summary>
    internal static bool IsLabelStart(ReadOnlySpan<byte> name, int offset)
    {
        int at = 0;
        while (at < offset)
        {
            at += 1 + name[at];
        }

        return at == offset;
    }
}
