using System.Buffers;
using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using Overlay.Primitives;

namespace Overlay.Gossip.Wire;

public enum StreamMeasure
{
    NeedMore,
    Complete,
    Invalid,
}

/// <summary>
/// memberlist's TCP exchanges: one unit each way. Sealed, a unit is 0x0a, its length, and the sealed bytes with those
/// five as associated data; in the clear it is the message itself.
/// </summary>
public static class StreamCodec
{
    private const int SealedHeader = 5;

    public static byte[] Encode(GossipMessage message, Keyring keys, Prng nonces)
    {
        ArrayBufferWriter<byte> output = new(1024);
        if (message is GossipMessage.User user)
        {
            // On a stream the payload's length is told first.
            output.GetSpan(1)[0] = (byte)MessageType.User;
            output.Advance(1);
            MsgPackWriter writer = new(output);
            writer.MapHeader(1);
            writer.Key("UserMsgLen"u8);
            writer.Unsigned((ulong)user.Payload.Length);
            output.Write(user.Payload);
        }
        else
        {
            MessageCodec.Encode(message, output);
        }

        ReadOnlySpan<byte> plaintext = output.WrittenSpan;
        Invariant.Holds(plaintext.Length <= WireLimits.MaxStreamBytes, "a stream unit is within its limit");
        if (!keys.IsEncrypted)
        {
            return plaintext.ToArray();
        }

        byte[] unit = new byte[SealedHeader + plaintext.Length + Sealing.Overhead];
        unit[0] = (byte)MessageType.Encrypt;
        BinaryPrimitives.WriteUInt32BigEndian(unit.AsSpan(1), (uint)(plaintext.Length + Sealing.Overhead));
        Sealing.Seal(plaintext, keys.Keys[0], unit.AsSpan(0, SealedHeader), nonces, unit.AsSpan(SealedHeader));
        return unit;
    }

    /// <summary>Whether the bytes that have arrived are one whole unit, and how long it is.</summary>
    public static StreamMeasure TryMeasure(ReadOnlySpan<byte> buffer, Keyring keys, out int total)
    {
        total = 0;
        if (buffer.IsEmpty)
        {
            return StreamMeasure.NeedMore;
        }

        if (keys.IsEncrypted)
        {
            if (buffer[0] != (byte)MessageType.Encrypt)
            {
                return StreamMeasure.Invalid;
            }

            if (buffer.Length < SealedHeader)
            {
                return StreamMeasure.NeedMore;
            }

            uint length = BinaryPrimitives.ReadUInt32BigEndian(buffer[1..]);
            if (length is < Sealing.Overhead or > WireLimits.MaxStreamBytes)
            {
                return StreamMeasure.Invalid;
            }

            total = SealedHeader + (int)length;
            return buffer.Length >= total ? StreamMeasure.Complete : StreamMeasure.NeedMore;
        }

        if (buffer.Length > WireLimits.MaxStreamBytes)
        {
            return StreamMeasure.Invalid;
        }

        return MeasurePlain(buffer, out total);
    }

    public static bool TryDecode(
        ReadOnlySpan<byte> unit, Keyring keys, [NotNullWhen(true)] out GossipMessage? message,
        out PacketRejection rejection)
    {
        message = null;
        rejection = PacketRejection.None;
        ReadOnlySpan<byte> plaintext = unit;
        if (keys.IsEncrypted)
        {
            if (unit.Length < SealedHeader + Sealing.Overhead || unit[0] != (byte)MessageType.Encrypt
                || !Sealing.TryOpen(unit[SealedHeader..], keys, unit[..SealedHeader], out byte[] opened))
            {
                rejection = PacketRejection.NotSealed;
                return false;
            }

            plaintext = opened;
        }

        if (plaintext.IsEmpty)
        {
            rejection = PacketRejection.Empty;
            return false;
        }

        if (plaintext[0] == (byte)MessageType.Compress)
        {
            if (!PacketCodec.TryDecompress(plaintext[1..], WireLimits.MaxStreamBytes, out byte[] inner)
                || inner.Length == 0)
            {
                rejection = PacketRejection.BadCompression;
                return false;
            }

            plaintext = inner;
        }

        MessageType type = (MessageType)plaintext[0];
        MsgPackReader reader = new(plaintext[1..]);
        if (type == MessageType.User)
        {
            int length = UserLength(ref reader);
            message = reader.Failed || length != reader.Remaining
                ? null
                : new GossipMessage.User(reader.Take(length).ToArray());
        }
        else if (type is MessageType.Ping or MessageType.Ack or MessageType.PushPull or MessageType.Error)
        {
            message = MessageCodec.Decode(type, plaintext[1..]);
        }
        else
        {
            rejection = PacketRejection.UnknownType;
            return false;
        }

        rejection = message is null ? PacketRejection.Malformed : PacketRejection.None;
        return message is not null;
    }

    /// <summary>In the clear only parsing tells the end. Nothing is kept: it runs at every read of a socket.</summary>
    private static StreamMeasure MeasurePlain(ReadOnlySpan<byte> buffer, out int total)
    {
        total = 0;
        MsgPackReader reader = new(buffer[1..]);
        switch ((MessageType)buffer[0])
        {
            case MessageType.Compress or MessageType.Ping or MessageType.Ack or MessageType.Error:
                reader.Skip();
                break;
            case MessageType.User:
                reader.Take(UserLength(ref reader));
                break;
            case MessageType.PushPull:
                PassPushPull(ref reader);
                break;
            default:
                return StreamMeasure.Invalid;
        }

        if (reader.Failed)
        {
            return reader.EndedEarly ? StreamMeasure.NeedMore : StreamMeasure.Invalid;
        }

        total = buffer.Length - reader.Remaining;
        return StreamMeasure.Complete;
    }

    private static void PassPushPull(ref MsgPackReader reader)
    {
        ulong nodes = 0;
        ulong userState = 0;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            ReadOnlySpan<byte> key = reader.ReadRaw();
            if (key.SequenceEqual("Nodes"u8))
            {
                nodes = reader.ReadUnsigned();
            }
            else if (key.SequenceEqual("UserStateLen"u8))
            {
                userState = reader.ReadUnsigned();
            }
            else
            {
                reader.Skip();
            }
        }

        bool bounded = nodes <= WireLimits.MaxPushPullNodes && userState <= WireLimits.MaxStreamBytes;
        for (ulong i = 0; bounded && i < nodes && !reader.Failed; i++)
        {
            reader.Skip();
        }

        reader.Take(bounded ? (int)userState : -1);
    }

    private static int UserLength(ref MsgPackReader reader)
    {
        uint length = 0;
        int count = reader.ReadMapHeader();
        for (int i = 0; i < count && !reader.Failed; i++)
        {
            if (reader.ReadRaw().SequenceEqual("UserMsgLen"u8))
            {
                length = reader.ReadUInt32Value();
            }
            else
            {
                reader.Skip();
            }
        }

        return length <= WireLimits.MaxStreamBytes ? (int)length : -1;
    }
}
