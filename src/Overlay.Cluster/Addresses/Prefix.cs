using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Cluster.Addresses;

/// <summary>An aligned run of addresses in CIDR notation (RFC 4632, RFC 4291); host bits are always zero.</summary>
public readonly record struct Prefix : IComparable<Prefix>
{
    public Prefix(Address first, int length)
    {
        int bits = first.IsIpv6 ? 128 : 32;
        Invariant.Holds(length >= 0 && length <= bits, "a prefix is not longer than its addresses");
        First = first;
        Length = length;
        Invariant.Holds((first.Value & HostMask) == 0, "a prefix has no host bits");
    }

    public Address First { get; }

    public int Length { get; }

    public bool IsIpv6 => First.IsIpv6;

    public Address Last => new(IsIpv6, First.Value | HostMask);

    /// <summary>How many addresses; the whole IPv6 space counts one less, to stay in 128 bits.</summary>
    public UInt128 Count => HostMask == UInt128.MaxValue ? UInt128.MaxValue : HostMask + 1;

    private int Bits => IsIpv6 ? 128 : 32;

    private UInt128 HostMask => MaskOf(Bits - Length);

    public static bool operator <(Prefix left, Prefix right) => left.CompareTo(right) < 0;

    public static bool operator >(Prefix left, Prefix right) => left.CompareTo(right) > 0;

    public static bool operator <=(Prefix left, Prefix right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Prefix left, Prefix right) => left.CompareTo(right) >= 0;

    /// <summary>The prefix of that length around an address.</summary>
    public static Prefix Around(Address address, int length) =>
        new(new(address.IsIpv6, address.Value & ~MaskOf((address.IsIpv6 ? 128 : 32) - length)), length);

    /// <summary>"address/length", host bits zero.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Prefix prefix) =>
        TryParseWithHostBits(text, out prefix, out Address given) && given == prefix.First;

    /// <summary>"address/length"; host bits are allowed and cleared.</summary>
    /// <param name="given">The address as written.</param>
    public static bool TryParseWithHostBits([NotNullWhen(true)] string? text, out Prefix prefix, out Address given)
    {
        prefix = default;
        given = default;
        int slash = text?.IndexOf('/', StringComparison.Ordinal) ?? -1;
        if (text is null || slash < 0 || !Address.TryParse(text[..slash], out given)
            || text.Length - slash - 1 is 0 or > 3
            || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int length)
            || length > (given.IsIpv6 ? 128 : 32))
        {
            return false;
        }

        prefix = Around(given, length);
        return true;
    }

    /// <summary>Text that this program wrote itself.</summary>
    public static Prefix Parse(string text)
    {
        Invariant.Holds(TryParse(text, out Prefix prefix), $"{Refusal.Quote(text)} is a prefix");
        return prefix;
    }

    public bool Contains(Address address) => address >= First && address <= Last;

    public bool Contains(Prefix other) => IsIpv6 == other.IsIpv6 && other.Length >= Length && Contains(other.First);

    public bool Overlaps(Prefix other) => Contains(other) || other.Contains(this);

    public IPNetwork ToIPNetwork() => new(First.ToIPAddress(), Length);

    public int CompareTo(Prefix other)
    {
        int byFirst = First.CompareTo(other.First);
        return byFirst != 0 ? byFirst : Length.CompareTo(other.Length);
    }

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{First}/{Length}");

    private static UInt128 MaskOf(int hostBits) => hostBits switch
    {
        0 => 0,
        128 => UInt128.MaxValue,
        _ => (UInt128.One << hostBits) - 1,
    };
}
