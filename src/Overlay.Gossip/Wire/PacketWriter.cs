using System.Buffers;
using System.Buffers.Binary;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Gossip.Wire;

/// <summary>The messages of one datagram, encoded as they come, in memory that is used again for the next.</summary>
internal sealed class PacketWriter
{
    private const int MaxParts = 255;
    private const int CrcOverhead = 5;

    private readonly ArrayBufferWriter<byte> bodies = new(WireLimits.PacketBytes);
    private readonly int[] ends = new int[MaxParts];

    public int Count { get; private set; }

    /// <summary>Bytes of the messages, with their part overheads.</summary>
    public int Cost => bodies.WrittenCount + (PacketCodec.PartOverhead * Count);

    public void Clear()
    {
        bodies.ResetWrittenCount();
        Count = 0;
    }

    public void Add(GossipMessage message)
    {
        MessageCodec.Encode(message, bodies);
        EndPart();
    }

    public void AddPing(uint sequenceNumber, string node, IPEndPoint? source, string sourceNode)
    {
        MessageCodec.Ping(bodies, sequenceNumber, node, source, sourceNode);
        EndPart();
    }

    public void AddAck(uint sequenceNumber, ReadOnlySpan<byte> payload, ulong digest)
    {
        MessageCodec.Ack(bodies, sequenceNumber, payload, digest);
        EndPart();
    }

    public void AddUser(ReadOnlySpan<byte> payload)
    {
        MessageCodec.User(bodies, payload);
        EndPart();
    }

    /// <summary>Bytes of the packet before it is sealed.</summary>
    public int Length(bool crc) =>
        bodies.WrittenCount + (crc ? CrcOverhead : 0)
        + (Count == 1 ? 0 : PacketCodec.CompoundOverhead + (PacketCodec.PartOverhead * Count));

    /// <param name="packet">As long as <see cref="Length"/> says.</param>
    public void CopyTo(Span<byte> packet, bool crc)
    {
        Invariant.Holds(Count > 0, "a datagram has 1 to 255 messages");
        Span<byte> content = crc ? packet[CrcOverhead..] : packet;
        Span<byte> parts = Count == 1 ? content : WriteHeader(content);
        bodies.WrittenSpan.CopyTo(parts);
        if (crc)
        {
            packet[0] = (byte)MessageType.HasCrc;
            BinaryPrimitives.WriteUInt32BigEndian(packet[1..], Crc32.Of(content));
        }
    }

    private Span<byte> WriteHeader(Span<byte> compound)
    {
        compound[0] = (byte)MessageType.Compound;
        compound[1] = (byte)Count;
        Span<byte> rest = compound[PacketCodec.CompoundOverhead..];
        int start = 0;
        foreach (int end in ends.AsSpan(0, Count))
        {
            Invariant.Holds(end - start <= ushort.MaxValue, "a part of a compound fits its length field");
            BinaryPrimitives.WriteUInt16BigEndian(rest, (ushort)(end - start));
            rest = rest[PacketCodec.PartOverhead..];
            start = end;
        }

        return rest;
    }

    private void EndPart()
    {
        Invariant.Holds(Count < MaxParts, "a datagram has 1 to 255 messages");
        ends[Count++] = bodies.WrittenCount;
    }
}
