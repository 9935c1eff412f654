using System.Globalization;

namespace Overlay.Primitives;

/// <summary>A 48-bit Ethernet address; the first octet on the wire is the most significant byte.</summary>
public readonly record struct MacAddress(ulong Value) : IComparable<MacAddress>
{
    public bool IsZero => Value == 0;

    public bool IsMulticast => ((Value >> 40) & 1) != 0;

    public static bool operator <(MacAddress left, MacAddress right) => left.Value < right.Value;

    public static bool operator >(MacAddress left, MacAddress right) => left.Value > right.Value;

    public static bool operator <=(MacAddress left, MacAddress right) => left.Value <= right.Value;

    public static bool operator >=(MacAddress left, MacAddress right) => left.Value >= right.Value;

    /// <summary>Reads six octets in wire order.</summary>
    public static MacAddress FromBytes(ReadOnlySpan<byte> octets)
    {
        Invariant.Holds(octets.Length == 6, "a MAC address has six octets");
        ulong value = 0;
        foreach (byte octet in octets)
        {
            value = (value << 8) | octet;
        }

        return new(value);
    }

    /// <summary>Parses "02:42:0a:00:00:02".</summary>
    public static bool TryParse(string? text, out MacAddress mac)
    {
        mac = default;
        if (text is not { Length: 17 })
        {
            return false;
        }

        ulong value = 0;
        for (int i = 0; i < 6; i++)
        {
            if ((i > 0 && text[(i * 3) - 1] != ':')
                || !byte.TryParse(text.AsSpan(i * 3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte octet))
            {
                return false;
            }

            value = (value << 8) | octet;
        }

        mac = new(value);
        return true;
    }

    /// <summary>Writes six octets in wire order.</summary>
    public void WriteTo(Span<byte> octets)
    {
        for (int i = 0; i < 6; i++)
        {
            octets[i] = (byte)(Value >> (40 - (8 * i)));
        }
    }

    public int CompareTo(MacAddress other) => Value.CompareTo(other.Value);

    public override string ToString()
    {
        ulong v = Value;
        return string.Create(
            CultureInfo.InvariantCulture,
            $"{v >> 40 & 0xff:x2}:{v >> 32 & 0xff:x2}:{v >> 24 & 0xff:x2}:{v >> 16 & 0xff:x2}:{v >> 8 & 0xff:x2}:{v & 0xff:x2}");
    }
}
