using System.Net;

namespace Overlay.Gossip;

/// <summary>One UDP packet to send, sealed.</summary>
public readonly record struct Datagram(IPEndPoint To, ReadOnlyMemory<byte> Payload);

/// <summary>
/// Open a TCP connection, send the request and, where a reply is expected, read one unit and hand it to
/// <see cref="Swim.StreamCompleted"/>. Otherwise completion is an empty unit; any failure is
/// <see cref="Swim.StreamFailed"/>, with the reason.
/// </summary>
public readonly record struct StreamDial(
    long ExchangeId, IPEndPoint To, ReadOnlyMemory<byte> Request, TimeSpan Timeout, bool ExpectsReply);

/// <summary>The answer to a unit given to <see cref="Swim.ReceiveStream"/>; the connection closes after it.</summary>
public readonly record struct StreamReply(long ExchangeId, ReadOnlyMemory<byte> Response);

/// <summary>What the shell does after an input. The caller clears it.</summary>
public sealed class GossipEffects
{
    public List<Datagram> Datagrams { get; } = [];

    public List<StreamDial> Dials { get; } = [];

    /// <summary>A received stream without an entry here is closed without an answer.</summary>
    public List<StreamReply> Replies { get; } = [];

    public List<GossipEvent> Events { get; } = [];

    /// <summary>Round-trip times of probes that their target answered itself, by UDP.</summary>
    public List<TimeSpan> ProbeTimes { get; } = [];

    public void Clear()
    {
        Datagrams.Clear();
        Dials.Clear();
        Replies.Clear();
        Events.Clear();
        ProbeTimes.Clear();
    }
}
