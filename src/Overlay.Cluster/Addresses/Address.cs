using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Cluster.Addresses;

/// <summary>An IP address as a number, so that it can be counted with. IPv4 sorts before IPv6.</summary>
/// <param name="Value">The 32 or 128 bits, most significant first.</param>
public readonly record struct Address(bool IsIpv6, UInt128 Value) : IComparable<Address>
{
    public static bool operator <(Address left, Address right) => left.CompareTo(right) < 0;

    public static bool operator >(Address left, Address right) => left.CompareTo(right) > 0;

    public static bool operator <=(Address left, Address right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Address left, Address right) => left.CompareTo(right) >= 0;

    /// <summary>
    /// Dotted quad without short forms or leading zeros, or RFC 4291 text without a zone. IPv4-mapped addresses are
    /// refused: they would give one address two names.
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Address address)
    {
        address = default;
        if (text is null or { Length: > 45 } || text.Contains('%', StringComparison.Ordinal)
            || text.Contains('[', StringComparison.Ordinal) || !IPAddress.TryParse(text, out IPAddress? parsed))
        {
            return false;
        }

        bool ipv6 = text.Contains(':', StringComparison.Ordinal);
        if (ipv6 ? parsed.IsIPv4MappedToIPv6 : !string.Equals(parsed.ToString(), text, StringComparison.Ordinal))
        {
            return false;
        }

        address = From(parsed);
        return true;
    }

    /// <summary>Text that this program wrote itself.</summary>
    public static Address Parse(string text)
    {
        Invariant.Holds(TryParse(text, out Address address), $"{Refusal.Quote(text)} is an address");
        return address;
    }

    public static Address From(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        Invariant.Holds(address.TryWriteBytes(bytes, out int length), "an address has at most 16 bytes");
        return length == 16
            ? new(true, BinaryPrimitives.ReadUInt128BigEndian(bytes))
            : new(false, BinaryPrimitives.ReadUInt32BigEndian(bytes));
    }

    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        if (IsIpv6)
        {
            BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);
            return new(bytes);
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)Value);
        return new(bytes[..4]);
    }

    public int CompareTo(Address other) =>
        IsIpv6 == other.IsIpv6 ? Value.CompareTo(other.Value) : IsIpv6.CompareTo(other.IsIpv6);

    public override string ToString() => ToIPAddress().ToString();
}
