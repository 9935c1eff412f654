using System.Net;

namespace Overlay.Gossip.Serf;

/// <summary>What serf agents tell each other inside memberlist's user messages. Times are Lamport's.</summary>
internal abstract record SerfMessage
{
    private SerfMessage()
    {
    }

    /// <summary>Type 1: the node is, or is again, a member.</summary>
    public sealed record Join(ulong Time, string Node) : SerfMessage;

    /// <summary>Type 0: the node leaves, or somebody says that a failed one has left.</summary>
    /// <param name="Prune">It is to be forgotten at once.</param>
    public sealed record Leave(ulong Time, string Node, bool Prune) : SerfMessage;

    /// <summary>Type 3.</summary>
    /// <param name="Coalesce">A later event of that name makes this one superfluous.</param>
    public sealed record Event(ulong Time, string Name, byte[] Payload, bool Coalesce) : SerfMessage;

    /// <summary>Type 4.</summary>
    /// <param name="Source">Where answers go.</param>
    /// <param name="Filters">All must let a node pass, or it stays silent.</param>
    /// <param name="RelayFactor">Through so many others an answer travels too.</param>
    public sealed record Query(
        ulong Time,
        uint Id,
        IPEndPoint Source,
        string SourceNode,
        IReadOnlyList<byte[]> Filters,
        QueryFlags Flags,
        byte RelayFactor,
        TimeSpan Timeout,
        string Name,
        byte[] Payload) : SerfMessage;

    /// <summary>Type 5.</summary>
    public sealed record Response(ulong Time, uint Id, string From, QueryFlags Flags, byte[] Payload) : SerfMessage;

    /// <summary>Type 9: to be handed on, type byte and all.</summary>
    public sealed record Relay(IPEndPoint To, string Name, byte[] Inner) : SerfMessage;
}

[Flags]
internal enum QueryFlags : uint
{
    None = 0,

    /// <summary>Of a query: whoever gets it says so. Of a response: this is that.</summary>
    Ack = 1,

    /// <summary>It is not passed on.</summary>
    NoBroadcast = 2,
}

internal enum SerfType : byte
{
    Leave = 0,
    Join = 1,
    PushPull = 2,
    UserEvent = 3,
    Query = 4,
    QueryResponse = 5,
    ConflictResponse = 6,
    KeyRequest = 7,
    KeyResponse = 8,
    Relay = 9,
}

/// <summary>Type 2, in push/pulls: the three clocks, who joined and left when, and the last events.</summary>
internal sealed record SerfState(
    ulong Time,
    ulong EventTime,
    ulong QueryTime,
    IReadOnlyList<KeyValuePair<string, ulong>> StatusTimes,
    IReadOnlyList<string> Left,
    IReadOnlyList<SerfMessage.Event> Events)
{
    public static readonly SerfState Empty = new(0, 0, 0, [], [], []);
}

/// <summary>Bounds on what is accepted.</summary>
internal static class SerfLimits
{
    /// <summary>serf's UserEventSizeLimit at most: name and payload.</summary>
    public const int MaxEventBytes = 9 * 1024;

    /// <summary>What this node itself sends: serf's defaults.</summary>
    public const int OwnEventBytes = 512;
    public const int OwnQueryBytes = 1024;
    public const int MaxQueryBytes = 9 * 1024;
    public const int MaxFilters = 32;
    public const int MaxFilterBytes = 1024;

    /// <summary>Events and queries older than that many ticks of their clock are not believed to be new.</summary>
    public const int Window = 512;
    public const int MaxEventsPerTick = 64;
    public const int MaxQueued = 4096;
    public const int MaxRelays = 5;

    /// <summary>A clock beyond that could not be outdated any more.</summary>
    public const ulong MaxTime = ulong.MaxValue / 4;
}
