using System.Diagnostics.CodeAnalysis;

namespace Overlay.Primitives;

/// <summary>Names a service. Zero is "none". The text form is thirteen base-32 characters.</summary>
public readonly record struct ServiceId(ulong Value) : IComparable<ServiceId>
{
    public bool IsNone => Value == 0;

    public static bool operator <(ServiceId left, ServiceId right) => left.Value < right.Value;

    public static bool operator >(ServiceId left, ServiceId right) => left.Value > right.Value;

    public static bool operator <=(ServiceId left, ServiceId right) => left.Value <= right.Value;

    public static bool operator >=(ServiceId left, ServiceId right) => left.Value >= right.Value;

    public static bool TryParse([NotNullWhen(true)] string? text, out ServiceId id)
    {
        bool parsed = IdText.TryParse(text, out ulong value) && value != 0;
        id = parsed ? new(value) : default;
        return parsed;
    }

    /// <exception cref="FormatException">The text is not an identifier.</exception>
    public static ServiceId Parse(string text) =>
        TryParse(text, out ServiceId id) ? id : throw new FormatException($"'{text}' is not a service id.");

    public int CompareTo(ServiceId other) => Value.CompareTo(other.Value);

    public override string ToString() => IdText.Format(Value);
}
