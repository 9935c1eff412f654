using System.Net;

namespace Overlay.Gossip;

/// <summary>One UDP packet to send, sealed.</summary>
/// <param name="Payload">Valid until the effects are cleared: the memory is used again.</param>
public readonly record struct Datagram(IPEndPoint To, ReadOnlyMemory<byte> Payload)
{
    /// <summary>The same in memory of its own, for whoever keeps it.</summary>
    public Datagram Copy() => this with { Payload = Payload.ToArray() };
}

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
    private const int FewPackets = 2 * Wire.WireLimits.PacketBytes;
    private const int ManyPackets = 16 * FewPackets;

    private byte[] memory = [];
    private int used;

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
        used = 0;
    }

    /// <summary>Memory for a packet, until <see cref="Clear"/>.</summary>
    internal Memory<byte> Rent(int bytes)
    {
        if (memory.Length - used < bytes)
        {
            // The packets that were written already keep the memory they are in.
            memory = new byte[Math.Max(bytes, Math.Clamp(2 * memory.Length, FewPackets, ManyPackets))];
            used = 0;
        }

        used += bytes;
        return memory.AsMemory(used - bytes, bytes);
    }
}
