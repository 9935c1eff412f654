using System.Buffers;
using System.Buffers.Binary;
using Overlay.Primitives;

namespace Overlay.Gossip.Wire;

/// <summary>
/// UDP datagrams of memberlist. Layers, from the inside: messages, compound where there are several, compression
/// (accepted, never sent), CRC, encryption, label (refused). A layer is only looked for inside those that go around
/// it, so that one packet is unpacked once: a compound of compressed parts would be a bomb of its own.
/// </summary>
public static class PacketCodec
{
    /// <summary>Bytes a part costs inside a compound.</summary>
    public const int PartOverhead = 2;

    /// <summary>Bytes of a compound's own header.</summary>
    public const int CompoundOverhead = 2;
    private const int CrcOverhead = 5;
    private const int MaxParts = 255;

    /// <summary>Room to encode in, used again for every packet of a thread; nothing is kept in it.</summary>
    [ThreadStatic]
    private static ArrayBufferWriter<byte>? scratch;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? scratchOfParts;

    /// <summary>Bytes of messages, with their part overheads, that fit into one packet sealed with this ring.</summary>
    public static int BudgetFor(Keyring keys) =>
        WireLimits.PacketBytes - CompoundOverhead - CrcOverhead - (keys.IsEncrypted ? Sealing.Overhead : 0);

    /// <summary>Encoded size of one message, with its type byte.</summary>
    public static int Measure(GossipMessage message)
    {
        ArrayBufferWriter<byte> output = Clear(ref scratch);
        MessageCodec.Encode(message, output);
        return output.WrittenCount;
    }

    /// <param name="messages">1 to 255 messages that belong into one datagram.</param>
    /// <param name="crc">A checksum before the packet, for receivers that speak protocol 5; idle when sealed.</param>
    public static byte[] Encode(IReadOnlyList<GossipMessage> messages, Keyring keys, Prng nonces, bool crc)
    {
        Invariant.Holds(messages.Count is > 0 and <= MaxParts, "a datagram has 1 to 255 messages");
        ArrayBufferWriter<byte> output = Clear(ref scratch);
        if (crc)
        {
            output.Advance(CrcOverhead);
        }

        if (messages.Count == 1)
        {
            MessageCodec.Encode(messages[0], output);
        }
        else
        {
            EncodeCompound(messages, output);
        }

        byte[] packet = output.WrittenSpan.ToArray();
        if (crc)
        {
            packet[0] = (byte)MessageType.HasCrc;
            BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(1), Crc32.Of(packet.AsSpan(CrcOverhead)));
        }

        if (!keys.IsEncrypted)
        {
            return packet;
        }

        byte[] sealedPacket = new byte[packet.Length + Sealing.Overhead];
        Sealing.Seal(packet, keys.Keys[0], [], nonces, sealedPacket);
        return sealedPacket;
    }

    /// <summary>
    /// Reads a datagram. False with the reason where nothing of it can be used; messages before a bad part of a
    /// compound stay in the list, and the reason tells of the first bad one.
    /// </summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> datagram, Keyring keys, List<GossipMessage> into, out PacketRejection rejection)
    {
        rejection = PacketRejection.None;
        if (datagram.IsEmpty)
        {
            rejection = PacketRejection.Empty;
            return false;
        }

        if (datagram.Length > WireLimits.MaxDatagram)
        {
            rejection = PacketRejection.TooLarge;
            return false;
        }

        if (datagram[0] == (byte)MessageType.HasLabel)
        {
            rejection = PacketRejection.UnsupportedLabel;
            return false;
        }

        ReadOnlySpan<byte> packet = datagram;
        if (keys.IsEncrypted)
        {
            if (!Sealing.TryOpen(datagram, keys, [], out byte[] opened))
            {
                rejection = PacketRejection.NotSealed;
                return false;
            }

            packet = opened;
        }

        int before = into.Count;
        bool whole = TryUnwrap(packet, into, Layer.Checksum, before + WireLimits.MaxMessagesPerPacket, ref rejection);
        return whole || into.Count > before;
    }

    internal static bool TryDecompress(ReadOnlySpan<byte> body, int limit, out byte[] inner)
    {
        inner = [];
        MsgPackReader reader = new(body);
        ulong algorithm = 0;
        ReadOnlySpan<byte> buffer = [];
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Algo"u8))
            {
                algorithm = reader.ReadUnsigned();
            }
            else if (key.SequenceEqual("Buf"u8))
            {
                buffer = reader.ReadRaw();
            }
            else
            {
                reader.Skip();
            }
        }

        return !reader.Failed && algorithm == 0 && Lzw.TryDecode(buffer, limit, out inner);
    }

    private static ArrayBufferWriter<byte> Clear(ref ArrayBufferWriter<byte>? buffer)
    {
        buffer ??= new(WireLimits.PacketBytes);
        buffer.ResetWrittenCount();
        return buffer;
    }

    private static void EncodeCompound(IReadOnlyList<GossipMessage> messages, ArrayBufferWriter<byte> output)
    {
        ArrayBufferWriter<byte> bodies = Clear(ref scratchOfParts);
        Span<byte> header = output.GetSpan(CompoundOverhead + (PartOverhead * messages.Count));
        header[0] = (byte)MessageType.Compound;
        header[1] = (byte)messages.Count;
        int at = CompoundOverhead;
        foreach (GossipMessage message in messages)
        {
            int start = bodies.WrittenCount;
            MessageCodec.Encode(message, bodies);
            int length = bodies.WrittenCount - start;
            Invariant.Holds(length <= ushort.MaxValue, "a part of a compound fits its length field");
            BinaryPrimitives.WriteUInt16BigEndian(header[at..], (ushort)length);
            at += PartOverhead;
        }

        output.Advance(at);
        output.Write(bodies.WrittenSpan);
    }

    /// <summary>The outermost layer that may still come, outermost first.</summary>
    private enum Layer
    {
        Checksum,
        Compression,
        Compound,
        CompoundInCompound,
        Message,
    }

    private static bool TryUnwrap(
        ReadOnlySpan<byte> packet, List<GossipMessage> into, Layer outermost, int limit, ref PacketRejection rejection)
    {
        if (packet.IsEmpty)
        {
            return Reject(PacketRejection.Truncated, ref rejection);
        }

        ReadOnlySpan<byte> body = packet[1..];
        switch ((MessageType)packet[0])
        {
            case MessageType.HasCrc:
                if (outermost > Layer.Checksum)
                {
                    return Reject(PacketRejection.Malformed, ref rejection);
                }

                return body.Length >= 4 && BinaryPrimitives.ReadUInt32BigEndian(body) == Crc32.Of(body[4..])
                    ? TryUnwrap(body[4..], into, Layer.Compression, limit, ref rejection)
                    : Reject(PacketRejection.BadChecksum, ref rejection);
            case MessageType.Compress:
                return outermost <= Layer.Compression
                    && TryDecompress(body, WireLimits.MaxDecompressedPacket, out byte[] inner)
                    ? TryUnwrap(inner, into, Layer.Compound, limit, ref rejection)
                    : Reject(PacketRejection.BadCompression, ref rejection);
            case MessageType.Compound:
                Layer inside = outermost <= Layer.Compound ? Layer.CompoundInCompound : Layer.Message;
                return outermost <= Layer.CompoundInCompound
                    ? TryParts(body, into, inside, limit, ref rejection)
                    : Reject(PacketRejection.Malformed, ref rejection);
            case MessageType.PushPull or MessageType.Encrypt or MessageType.Error:
                return Reject(PacketRejection.UnknownType, ref rejection);
            case var type when MessageCodec.IsKnown(type):
                return TryMessage(type, body, into, limit, ref rejection);
            default:
                return Reject(PacketRejection.UnknownType, ref rejection);
        }
    }

    private static bool TryMessage(
        MessageType type, ReadOnlySpan<byte> body, List<GossipMessage> into, int limit, ref PacketRejection rejection)
    {
        if (into.Count >= limit)
        {
            return Reject(PacketRejection.TooLarge, ref rejection);
        }

        MsgPackReader reader = new(body);
        if (MessageCodec.Decode(type, ref reader) is not { } message)
        {
            return Reject(PacketRejection.Malformed, ref rejection);
        }

        into.Add(message);
        return true;
    }

    private static bool TryParts(
        ReadOnlySpan<byte> body, List<GossipMessage> into, Layer outermost, int limit, ref PacketRejection rejection)
    {
        if (body.IsEmpty || body.Length < 1 + (PartOverhead * body[0]))
        {
            return Reject(PacketRejection.Truncated, ref rejection);
        }

        int count = body[0];
        ReadOnlySpan<byte> lengths = body.Slice(1, PartOverhead * count);
        ReadOnlySpan<byte> parts = body[(1 + (PartOverhead * count))..];
        bool whole = true;
        for (int i = 0; i < count; i++)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(lengths[(PartOverhead * i)..]);
            if (length > parts.Length)
            {
                return Reject(PacketRejection.Truncated, ref rejection);
            }

            whole &= TryUnwrap(parts[..length], into, outermost, limit, ref rejection);
            parts = parts[length..];
        }

        return whole;
    }

    private static bool Reject(PacketRejection reason, ref PacketRejection rejection)
    {
        rejection = rejection == PacketRejection.None ? reason : rejection;
        return false;
    }
}
