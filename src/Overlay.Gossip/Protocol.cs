namespace Overlay.Gossip;

/// <summary>memberlist's protocol numbers.</summary>
internal static class Protocol
{
    /// <summary>[pmin, pmax, pcur, dmin, dmax, dcur]: what serf agents announce.</summary>
    public static readonly byte[] Versions = [1, 5, 2, 2, 5, 5];

    /// <summary>
    /// A new incarnation is at most this far above the known one, so that nobody can push a member to the end of the
    /// numbers with one message.
    /// </summary>
    public const uint MaxIncarnationStep = 1 << 20;

    /// <summary>
    /// Nobody's boot id is higher: far above any time in milliseconds, and one that a node can take itself when it is
    /// impersonated by it.
    /// </summary>
    public const ulong MaxBootId = long.MaxValue - 1;

    /// <summary>Whether a member can be talked to at all.</summary>
    public static bool IsUsable(ReadOnlySpan<byte> versions) =>
        versions.Length == 6 && versions[0] != 0 && versions[1] != 0 && versions[0] <= versions[1];
}
