namespace Overlay.Primitives;

/// <summary>
/// Text form of 64-bit identifiers: thirteen characters of Crockford's base 32 in lower case, most significant
/// first, so that text order is numeric order.
/// </summary>
internal static class IdText
{
    public const int Length = 13;
    private const string Alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

    public static string Format(ulong value) => string.Create(Length, value, static (text, v) =>
    {
        for (int i = Length - 1; i >= 0; i--)
        {
            text[i] = Alphabet[(int)(v & 31)];
            v >>= 5;
        }
    });

    public static bool TryParse(ReadOnlySpan<char> text, out ulong value)
    {
        value = 0;
        if (text.Length != Length || Alphabet.IndexOf(text[0], StringComparison.Ordinal) is < 0 or > 15)
        {
            return false;
        }

        foreach (char c in text)
        {
            int digit = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0)
            {
                value = 0;
                return false;
            }

            value = (value << 5) | (uint)digit;
        }

        return true;
    }
}
