using System.Diagnostics.CodeAnalysis;

namespace Overlay.Primitives;

/// <summary>Names a machine that runs one agent, for the whole life of its membership. Zero is "none". The text form is thirteen base-32 characters.</summary>
public readonly record struct NodeId(ulong Value) : IComparable<NodeId>
{
    public bool IsNone => Value == 0;

    public static bool operator <(NodeId left, NodeId right) => left.Value < right.Value;

    public static bool operator >(NodeId left, NodeId right) => left.Value > right.Value;

    public static bool operator <=(NodeId left, NodeId right) => left.Value <= right.Value;

    public static bool operator >=(NodeId left, NodeId right) => left.Value >= right.Value;

    public static bool TryParse([NotNullWhen(true)] string? text, out NodeId id)
    {
        bool parsed = IdText.TryParse(text, out ulong value) && value != 0;
        id = parsed ? new(value) : default;
        return parsed;
    }

    /// <exception cref="FormatException">The text is not an identifier.</exception>
    public static NodeId Parse(string text) =>
        TryParse(text, out NodeId id) ? id : throw new FormatException($"'{text}' is not a node id.");

    public int CompareTo(NodeId other) => Value.CompareTo(other.Value);

    public override string ToString() => IdText.Format(Value);
}
