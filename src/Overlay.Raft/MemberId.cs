using System.Globalization;

namespace Overlay.Raft;

/// <summary>
/// A manager's disk for as long as it lives: random, and another one after the disk was wiped, so that a member that has
/// forgotten what it acknowledged is never taken for the one that had acknowledged it.
/// </summary>
/// <param name="Value">0: nobody.</param>
public readonly record struct MemberId(ulong Value) : IComparable<MemberId>
{
    public static readonly MemberId None;

    public bool IsNone => Value == 0;

    public int CompareTo(MemberId other) => Value.CompareTo(other.Value);

    /// <summary>Hexadecimal without leading zeros; "-" for nobody.</summary>
    public override string ToString() => IsNone ? "-" : Value.ToString("x", CultureInfo.InvariantCulture);
}
