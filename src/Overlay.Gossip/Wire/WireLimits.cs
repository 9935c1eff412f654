namespace Overlay.Gossip.Wire;

/// <summary>Bounds on what is accepted from outside.</summary>
internal static class WireLimits
{
    /// <summary>memberlist's UDPBufferSize: what is sent fits into one unfragmented packet of any usual path.</summary>
    public const int PacketBytes = 1400;

    public const int MaxDatagram = 65507;

    /// <summary>memberlist's maxPushStateBytes.</summary>
    public const int MaxStreamBytes = 20 << 20;

    /// <summary>The most that a compressed packet may become.</summary>
    public const int MaxDecompressedPacket = 256 << 10;
    /// <summary>Eight bytes a member.</summary>
    public const int MaxKnown = 8 * MaxPushPullNodes;
    public const int MaxName = 512;
    public const int MaxMeta = 512;
    public const int MaxPayload = 64 << 10;
    public const int MaxError = 4096;
    public const int MaxMessagesPerPacket = 1024;
    public const int MaxPushPullNodes = 1 << 16;
    public const int VersionBytes = 6;
}
