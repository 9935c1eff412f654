namespace Overlay.Dataplane;

/// <summary>
/// A network namespace as the agent reaches it: the empty name is the namespace the agent runs in (the host's), a
/// value that begins with '/' is the path of a namespace file (/run/netns/web, /proc/1234/ns/net), any other is a
/// file of that name under /run/netns.
/// </summary>
public readonly record struct NamespaceName(string Value) : IComparable<NamespaceName>
{
    public static readonly NamespaceName Host = new("");

    /// <summary>Where published ports of all nodes go through; see <see cref="IngressSandbox"/>.</summary>
    public static readonly NamespaceName Ingress = new("ov-ingress");

    public bool IsHost => Value.Length == 0;

    /// <summary>Made by the agent, for a network or as <see cref="Ingress"/> (ov-…): everything inside is the agent's.</summary>
    public bool IsOverlay => Value.StartsWith("ov-", StringComparison.Ordinal);

    public static bool operator <(NamespaceName left, NamespaceName right) => left.CompareTo(right) < 0;

    public static bool operator >(NamespaceName left, NamespaceName right) => left.CompareTo(right) > 0;

    public static bool operator <=(NamespaceName left, NamespaceName right) => left.CompareTo(right) <= 0;

    public static bool operator >=(NamespaceName left, NamespaceName right) => left.CompareTo(right) >= 0;

    public int CompareTo(NamespaceName other) => string.CompareOrdinal(Value, other.Value);

    public override string ToString() => IsHost ? "host" : Value;
}
