namespace Overlay.Cluster.Trust;

/// <summary>
/// RFC 4648 base 32 in lower case without padding: no case to mistake, no character that a shell minds.
/// </summary>
internal static class Base32
{
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz234567";

    public static int LengthOf(int bytes) => ((bytes * 8) + 4) / 5;

    public static string Format(ReadOnlySpan<byte> bytes)
    {
        Span<char> text = stackalloc char[LengthOf(bytes.Length)];
        uint bits = 0;
        int count = 0;
        int at = 0;
        foreach (byte octet in bytes)
        {
            bits = (bits << 8) | octet;
            count += 8;
            while (count >= 5)
            {
                count -= 5;
                text[at++] = Alphabet[(int)(bits >> count) & 31];
            }
        }

        if (count > 0)
        {
            text[at] = Alphabet[(int)(bits << (5 - count)) & 31];
        }

        return new(text);
    }

    /// <summary>Reads exactly as many characters as the bytes need; left-over bits must be zero.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, Span<byte> bytes)
    {
        if (text.Length != LengthOf(bytes.Length))
        {
            return false;
        }

        uint bits = 0;
        int count = 0;
        int at = 0;
        foreach (char c in text)
        {
            int digit = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0)
            {
                return false;
            }

            bits = (bits << 5) | (uint)digit;
            count += 5;
            if (count >= 8)
            {
                count -= 8;
                bytes[at++] = (byte)(bits >> count);
            }
        }

        return (bits & ((1u << count) - 1)) == 0;
    }
}
