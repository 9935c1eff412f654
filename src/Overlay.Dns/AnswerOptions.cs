namespace Overlay.Dns;

/// <summary>Constants of the answers.</summary>
public sealed record AnswerOptions
{
    /// <summary>Seconds that a client may keep an address: short, because endpoints move.</summary>
    public uint TtlSeconds { get; init; } = 5;

    /// <summary>
    /// Seconds that a client may remember that there is nothing (RFC 2308): a name may appear any moment.
    /// </summary>
    public uint NegativeTtlSeconds { get; init; } = 1;

    /// <summary>Bytes of the largest UDP answer; 1232 is never fragmented on IPv6 (RFC 9715).</summary>
    public int MaxUdpPayload { get; init; } = 1232;
}
