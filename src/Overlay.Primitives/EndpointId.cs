using System.Diagnostics.CodeAnalysis;

namespace Overlay.Primitives;

/// <summary>Names one attachment of a sandbox to a network. Zero is "none". The text form is thirteen base-32 characters.</summary>
public readonly record struct EndpointId(ulong Value) : IComparable<EndpointId>
{
    public bool IsNone => Value == 0;

    public static bool operator <(EndpointId left, EndpointId right) => left.Value < right.Value;

    public static bool operator >(EndpointId left, EndpointId right) => left.Value > right.Value;

    public static bool operator <=(EndpointId left, EndpointId right) => left.Value <= right.Value;

    public static bool operator >=(EndpointId left, EndpointId right) => left.Value >= right.Value;

    public static bool TryParse([NotNullWhen(true)] string? text, out EndpointId id)
    {
        bool parsed = IdText.TryParse(text, out ulong value) && value != 0;
        id = parsed ? new(value) : default;
        return parsed;
    }

    /// <exception cref="FormatException">The text is not an identifier.</exception>
    public static EndpointId Parse(string text) =>
        TryParse(text, out EndpointId id) ? id : throw new FormatException($"'{text}' is not an endpoint id.");

    public int CompareTo(EndpointId other) => Value.CompareTo(other.Value);

    public override string ToString() => IdText.Format(Value);
}
