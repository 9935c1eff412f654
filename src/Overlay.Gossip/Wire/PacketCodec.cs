using System.Buffers;
using Overlay.Primitives;

namespace Overlay.Gossip.Wire;

/// <summary>
/// UDP datagrams of memberlist. Layers, from the inside: messages, compound where there are several, compression
/// (accepted, never sent), CRC, encryption, label (refused).
/// </summary>
public static class PacketCodec
{
    /// <summary>Bytes a part costs inside a compound.</summary>
    public const int PartOverhead = 2;

    /// <summary>Bytes of a compound's own header.</summary>
    public const int CompoundOverhead = 2;
    private const int CrcOverhead = 5;

    /// <summary>Memory that is used again for every packet of a thread; nothing is kept in it.</summary>
    [ThreadStatic]
    private static PacketWriter? writer;

    [ThreadStatic]
    private static ArrayBufferWriter<byte>? measured;

    [ThreadStatic]
    private static byte[]? outgoing;

    [ThreadStatic]
    private static byte[]? incoming;

    /// <summary>Bytes of messages, with their part overheads, that fit into one packet sealed with this ring.</summary>
    public static int BudgetFor(Keyring keys) =>
        WireLimits.PacketBytes - CompoundOverhead - CrcOverhead - (keys.IsEncrypted ? Sealing.Overhead : 0);

    /// <summary>Encoded size of one message, with its type byte.</summary>
    public static int Measure(GossipMessage message)
    {
        measured ??= new(WireLimits.PacketBytes);
        measured.ResetWrittenCount();
        MessageCodec.Encode(message, measured);
        return measured.WrittenCount;
    }

    /// <param name="messages">1 to 255 messages that belong into one datagram.</param>
    /// <param name="crc">A checksum before the packet, for receivers that speak protocol 5; idle when sealed.</param>
    public static byte[] Encode(IReadOnlyList<GossipMessage> messages, Keyring keys, Prng nonces, bool crc)
    {
        PacketWriter packet = Begin();
        for (int i = 0; i < messages.Count; i++)
        {
            packet.Add(messages[i]);
        }

        byte[] datagram = new byte[LengthOf(packet, keys, crc)];
        Write(packet, keys, nonces, crc, datagram);
        return datagram;
    }

    /// <summary>An empty packet: one for each thread, so it is to be written before the next one begins.</summary>
    internal static PacketWriter Begin()
    {
        writer ??= new();
        writer.Clear();
        return writer;
    }

    /// <summary>Bytes of the datagram, sealed where there are keys.</summary>
    internal static int LengthOf(PacketWriter packet, Keyring keys, bool crc) =>
        packet.Length(crc) + (keys.IsEncrypted ? Sealing.Overhead : 0);

    internal static void Write(PacketWriter packet, Keyring keys, Prng nonces, bool crc, Span<byte> datagram)
    {
        if (!keys.IsEncrypted)
        {
            packet.CopyTo(datagram, crc);
            return;
        }

        Span<byte> plaintext = Room(ref outgoing, packet.Length(crc));
        packet.CopyTo(plaintext, crc);
        Sealing.Seal(plaintext, keys.Keys[0], [], nonces, datagram);
    }

    /// <summary>
    /// Reads a datagram. False with the reason where nothing of it can be used; messages before a bad part of a
    /// compound stay in the list, and the reason tells of the first bad one.
    /// </summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> datagram, Keyring keys, List<GossipMessage> into, out PacketRejection rejection) =>
        TryDecode(datagram, keys, new MessageList(into), out rejection);

    /// <summary>The same without making objects of what it says.</summary>
    internal static bool TryDecode<TSink>(
        ReadOnlySpan<byte> datagram, Keyring keys, TSink sink, out PacketRejection rejection)
        where TSink : struct, IMessageSink
    {
        rejection = datagram switch
        {
            [] => PacketRejection.Empty,
            { Length: > WireLimits.MaxDatagram } => PacketRejection.TooLarge,
            [(byte)MessageType.HasLabel, ..] => PacketRejection.UnsupportedLabel,
            _ => PacketRejection.None,
        };
        if (rejection != PacketRejection.None)
        {
            return false;
        }

        ReadOnlySpan<byte> packet = datagram;
        if (keys.IsEncrypted)
        {
            Span<byte> opened = Room(ref incoming, Math.Max(0, datagram.Length - Sealing.Overhead));
            if (!Sealing.TryOpen(datagram, keys, [], opened, out int length))
            {
                rejection = PacketRejection.NotSealed;
                return false;
            }

            packet = opened[..length];
        }

        PacketReader<TSink> reader = new(sink);
        bool whole = reader.Read(packet);
        rejection = reader.Rejection;
        return whole || reader.Taken > 0;
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

    private static Span<byte> Room(ref byte[]? memory, int bytes)
    {
        if (memory is null || memory.Length < bytes)
        {
            memory = new byte[Math.Max(bytes, WireLimits.PacketBytes)];
        }

        return memory.AsSpan(0, bytes);
    }

    private readonly struct MessageList(List<GossipMessage> into) : IMessageSink
    {
        public void Take(MessageType type, in MessageFields message) => into.Add(message.ToMessage(type));
    }
}
