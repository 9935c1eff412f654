using System.Buffers.Binary;

namespace Overlay.Gossip.Wire;

/// <summary>
/// Cuts an opened packet into its messages and hands each to the sink. A layer is only looked for inside those that go
/// around it, so that one packet is unpacked once: a compound of compressed parts would be a bomb of its own.
/// </summary>
internal ref struct PacketReader<TSink>(TSink sink)
    where TSink : struct, IMessageSink
{
    /// <summary>The outermost layer that may still come, outermost first.</summary>
    private enum Layer
    {
        Checksum,
        Compression,
        Compound,
        CompoundInCompound,
        Message,
    }

    /// <summary>Messages that the sink got; those before and after a bad part of a compound count.</summary>
    public int Taken { get; private set; }

    /// <summary>The first thing that was wrong.</summary>
    public PacketRejection Rejection { get; private set; }

    /// <summary>False where anything was wrong.</summary>
    public bool Read(ReadOnlySpan<byte> packet) => Unwrap(packet, Layer.Checksum);

    private bool Unwrap(ReadOnlySpan<byte> packet, Layer outermost)
    {
        if (packet.IsEmpty)
        {
            return Reject(PacketRejection.Truncated);
        }

        ReadOnlySpan<byte> body = packet[1..];
        switch ((MessageType)packet[0])
        {
            case MessageType.HasCrc:
                if (outermost > Layer.Checksum)
                {
                    return Reject(PacketRejection.Malformed);
                }

                return body.Length >= 4 && BinaryPrimitives.ReadUInt32BigEndian(body) == Crc32.Of(body[4..])
                    ? Unwrap(body[4..], Layer.Compression)
                    : Reject(PacketRejection.BadChecksum);
            case MessageType.Compress:
                return outermost <= Layer.Compression
                    && PacketCodec.TryDecompress(body, WireLimits.MaxDecompressedPacket, out byte[] inner)
                    ? Unwrap(inner, Layer.Compound)
                    : Reject(PacketRejection.BadCompression);
            case MessageType.Compound:
                Layer inside = outermost <= Layer.Compound ? Layer.CompoundInCompound : Layer.Message;
                return outermost <= Layer.CompoundInCompound
                    ? ReadParts(body, inside)
                    : Reject(PacketRejection.Malformed);
            case MessageType.PushPull or MessageType.Encrypt or MessageType.Error:
                return Reject(PacketRejection.UnknownType);
            case var type when MessageCodec.IsKnown(type):
                return ReadMessage(type, body);
            default:
                return Reject(PacketRejection.UnknownType);
        }
    }

    private bool ReadMessage(MessageType type, ReadOnlySpan<byte> body)
    {
        if (Taken >= WireLimits.MaxMessagesPerPacket)
        {
            return Reject(PacketRejection.TooLarge);
        }

        if (!FieldsReader.TryRead(type, body, out MessageFields message))
        {
            return Reject(PacketRejection.Malformed);
        }

        Taken++;
        sink.Take(type, message);
        return true;
    }

    private bool ReadParts(ReadOnlySpan<byte> body, Layer outermost)
    {
        if (body.IsEmpty || body.Length < 1 + (PacketCodec.PartOverhead * body[0]))
        {
            return Reject(PacketRejection.Truncated);
        }

        int count = body[0];
        ReadOnlySpan<byte> lengths = body.Slice(1, PacketCodec.PartOverhead * count);
        ReadOnlySpan<byte> parts = body[(1 + (PacketCodec.PartOverhead * count))..];
        bool whole = true;
        for (int i = 0; i < count; i++)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(lengths[(PacketCodec.PartOverhead * i)..]);
            if (length > parts.Length)
            {
                return Reject(PacketRejection.Truncated);
            }

            whole &= Unwrap(parts[..length], outermost);
            parts = parts[length..];
        }

        return whole;
    }

    private bool Reject(PacketRejection reason)
    {
        Rejection = Rejection == PacketRejection.None ? reason : Rejection;
        return false;
    }
}
