namespace Overlay.Primitives;

/// <summary>VXLAN network identifier (RFC 7348): 24 bits, here 1 to 16,777,215.</summary>
public readonly record struct Vni(uint Value) : IComparable<Vni>
{
    public const uint Max = (1 << 24) - 1;

    /// <summary>Automatic allocation begins here; smaller ones are given by hand only.</summary>
    public const uint FirstAutomatic = 4096;

    public bool IsValid => Value is > 0 and <= Max;

    public static bool operator <(Vni left, Vni right) => left.Value < right.Value;

    public static bool operator >(Vni left, Vni right) => left.Value > right.Value;

    public static bool operator <=(Vni left, Vni right) => left.Value <= right.Value;

    public static bool operator >=(Vni left, Vni right) => left.Value >= right.Value;

    public int CompareTo(Vni other) => Value.CompareTo(other.Value);

    public override string ToString() => $"{Value}";
}
