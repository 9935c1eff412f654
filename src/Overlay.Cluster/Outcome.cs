using System.Diagnostics.CodeAnalysis;
using Overlay.Primitives;

namespace Overlay.Cluster;

/// <summary>A value, or the refusal that stands in its place.</summary>
public readonly record struct Outcome<T>
    where T : notnull
{
    private readonly T? value;

    public Outcome(T value)
    {
        this.value = value;
        Refusal = null;
    }

    public Outcome(Refusal refusal)
    {
        value = default;
        Refusal = refusal;
    }

    /// <summary>Null if and only if there is a value.</summary>
    public Refusal? Refusal { get; }

    public bool IsRefused => Refusal is not null;

    /// <summary>The value; asking a refused outcome for it is a bug.</summary>
    public T Value
    {
        get
        {
            Invariant.Holds(Refusal is null && value is not null, Refusal?.ToString());
            return value;
        }
    }

    public static implicit operator Outcome<T>(T value) => new(value);

    public static implicit operator Outcome<T>(Refusal refusal) => new(refusal);

    public bool TryGet([NotNullWhen(true)] out T? result, [NotNullWhen(false)] out Refusal? refusal)
    {
        result = value;
        refusal = Refusal;
        Invariant.Holds(refusal is not null || result is not null, "an outcome is made with a value or a refusal");
        return refusal is null;
    }
}
