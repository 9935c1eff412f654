using System.Diagnostics.CodeAnalysis;

namespace Overlay.Primitives;

/// <summary>Names an overlay network. Zero is "none". The text form is thirteen base-32 characters.</summary>
public readonly record struct NetworkId(ulong Value) : IComparable<NetworkId>
{
    public bool IsNone => Value == 0;

    public static bool operator <(NetworkId left, NetworkId right) => left.Value < right.Value;

    public static bool operator >(NetworkId left, NetworkId right) => left.Value > right.Value;

    public static bool operator <=(NetworkId left, NetworkId right) => left.Value <= right.Value;

    public static bool operator >=(NetworkId left, NetworkId right) => left.Value >= right.Value;

    public static bool TryParse([NotNullWhen(true)] string? text, out NetworkId id)
    {
        bool parsed = IdText.TryParse(text, out ulong value) && value != 0;
        id = parsed ? new(value) : default;
        return parsed;
    }

    /// <exception cref="FormatException">The text is not an identifier.</exception>
    public static NetworkId Parse(string text) =>
        TryParse(text, out NetworkId id) ? id : throw new FormatException($"'{text}' is not a network id.");

    public int CompareTo(NetworkId other) => Value.CompareTo(other.Value);

    public override string ToString() => IdText.Format(Value);
}
