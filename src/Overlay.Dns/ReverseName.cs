using System.Net;
using System.Net.Sockets;

namespace Overlay.Dns;

/// <summary>An address as a number, so that it compares and hashes without allocation.</summary>
internal readonly record struct AddressNumber(bool IsIpv6, UInt128 Value) : IComparable<AddressNumber>
{
    public static AddressNumber From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int length);
        UInt128 value = 0;
        foreach (byte b in bytes[..length])
        {
            value = (value << 8) | b;
        }

        return new(address.AddressFamily == AddressFamily.InterNetworkV6, value);
    }

    public int CompareTo(AddressNumber other) =>
        IsIpv6 == other.IsIpv6 ? Value.CompareTo(other.Value) : IsIpv6.CompareTo(other.IsIpv6);
}

/// <summary>Names by which addresses are looked up: in-addr.arpa (RFC 1035 §3.5), ip6.arpa (RFC 3596 §2.5).</summary>
internal static class ReverseName
{
    private static ReadOnlySpan<byte> Ipv4Suffix => "\u0007in-addr\u0004arpa"u8;

    private static ReadOnlySpan<byte> Ipv6Suffix => "\u0003ip6\u0004arpa"u8;

    /// <summary>Reads the address of a complete reverse name; false for shorter ones and for all other names.</summary>
    /// <param name="name">Wire form, lower case, without the root label.</param>
    public static bool TryRead(ReadOnlySpan<byte> name, out AddressNumber address)
    {
        address = default;
        return name.EndsWith(Ipv4Suffix) ? TryReadIpv4(name[..^Ipv4Suffix.Length], out address)
            : name.EndsWith(Ipv6Suffix) && TryReadIpv6(name[..^Ipv6Suffix.Length], out address);
    }

    private static bool TryReadIpv4(ReadOnlySpan<byte> labels, out AddressNumber address)
    {
        address = default;
        uint value = 0;
        int count = 0;
        for (; !labels.IsEmpty; count++)
        {
            int length = labels[0];
            if (count == 4 || length >= labels.Length || !TryReadDecimal(labels.Slice(1, length), out uint part))
            {
                return false;
            }

            value |= part << (8 * count);
            labels = labels[(1 + length)..];
        }

        address = new(false, value);
        return count == 4;
    }

    private static bool TryReadDecimal(ReadOnlySpan<byte> digits, out uint value)
    {
        value = 0;
        if (digits.Length is 0 or > 3 || (digits[0] == '0' && digits.Length > 1))
        {
            return false;
        }

        foreach (byte digit in digits)
        {
            if (digit is < (byte)'0' or > (byte)'9')
            {
                return false;
            }

            value = (value * 10) + (uint)(digit - '0');
        }

        return value <= 255;
    }

    private static bool TryReadIpv6(ReadOnlySpan<byte> labels, out AddressNumber address)
    {
        address = default;
        if (labels.Length != 64)
        {
            return false;
        }

        UInt128 value = 0;
        for (int i = 62; i >= 0; i -= 2)
        {
            int digit = labels[i + 1] switch
            {
                >= (byte)'0' and <= (byte)'9' and byte b => b - '0',
                >= (byte)'a' and <= (byte)'f' and byte b => b - 'a' + 10,
                _ => -1,
            };
            if (labels[i] != 1 || digit < 0)
            {
                return false;
            }

            value = (value << 4) | (uint)digit;
        }

        address = new(true, value);
        return true;
    }
}
