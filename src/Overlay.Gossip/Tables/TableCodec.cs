using System.Buffers;
using System.Diagnostics;
using System.Text;

namespace Overlay.Gossip.Tables;

/// <summary>
/// The bytes of table messages. A payload is 'O', the format's version, the sender's name, then messages to the end;
/// numbers are LEB128, texts and values have their length in front.
/// </summary>
internal static class TableCodec
{
    public const int MaxTextBytes = 255;
    public const int MaxValueBytes = 4096;

    private const byte Magic = (byte)'O';
    private const byte FormatVersion = 1;

    public static byte[] Encode(string sender, IEnumerable<TableMessage> messages)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        WriteHeader(bytes, sender);
        foreach (TableMessage message in messages)
        {
            Write(bytes, message);
        }

        return bytes.WrittenSpan.ToArray();
    }

    public static void WriteHeader(ArrayBufferWriter<byte> bytes, string sender)
    {
        bytes.Write([Magic, FormatVersion]);
        WriteText(bytes, sender);
    }

    public static int Measure(TableMessage message)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        Write(bytes, message);
        return bytes.WrittenCount;
    }

    public static int HeaderBytes(string sender) => 4 + Encoding.UTF8.GetByteCount(sender);

    /// <summary>Whether a user message is meant for tables at all; others belong to foreign programs.</summary>
    public static bool IsTablePayload(ReadOnlySpan<byte> payload) => payload is [Magic, FormatVersion, ..];

    public static bool TryDecode(ReadOnlySpan<byte> payload, out string sender, List<TableMessage> into)
    {
        bool sound = TryOpen(payload, out ReadOnlySpan<byte> name, out TableReader messages);
        sender = Encoding.UTF8.GetString(name);
        while (sound && !messages.IsAtEnd)
        {
            sound = TableFields.TryRead(ref messages, out TableFields message);
            if (sound)
            {
                into.Add(ToMessage(message));
            }
        }

        return sound;
    }

    /// <summary>The sender of a payload, and what reads its messages to the end.</summary>
    public static bool TryOpen(ReadOnlySpan<byte> payload, out ReadOnlySpan<byte> sender, out TableReader messages)
    {
        messages = new(IsTablePayload(payload) ? payload[2..] : []);
        return messages.TryReadUtf8(MaxTextBytes, out sender);
    }

    /// <summary>Whether all messages keep to the format.</summary>
    public static bool IsSound(TableReader messages)
    {
        while (!messages.IsAtEnd)
        {
            if (!TableFields.TryRead(ref messages, out _))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>The message as an object that outlives its payload.</summary>
    public static TableMessage ToMessage(in TableFields fields) => fields.Kind switch
    {
        TableKind.Summary => new TableMessage.Summary(Fingerprints(fields)),
        TableKind.Digest => new TableMessage.Digest(
            TextOf(fields.Network), TextOf(fields.After), TextOf(fields.Through), Lines(fields)),
        TableKind.Want => new TableMessage.Want(TextOf(fields.Network), Lines(fields)),
        TableKind.Delta => new TableMessage.Delta(
            TextOf(fields.Network), TextOf(fields.Owner), fields.Epoch, fields.From, fields.To, fields.Head,
            fields.Settled, fields.Pruned, Items(fields)),
        TableKind.Question => new TableMessage.Question(TextOf(fields.Network), fields.Epoch, fields.Version),
        TableKind.Acknowledgement =>
            new TableMessage.Acknowledgement(TextOf(fields.Network), fields.Epoch, fields.Version),
        _ => throw new UnreachableException(),
    };

    private static string TextOf(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);

    private static List<NetworkFingerprint> Fingerprints(in TableFields fields)
    {
        List<NetworkFingerprint> networks = [];
        TableReader body = fields.Body;
        while (!body.IsAtEnd && body.TryReadFingerprint(out ReadOnlySpan<byte> network, out ulong fingerprint))
        {
            networks.Add(new(TextOf(network), fingerprint));
        }

        return networks;
    }

    private static List<DigestLine> Lines(in TableFields fields)
    {
        List<DigestLine> lines = [];
        TableReader body = fields.Body;
        while (!body.IsAtEnd && body.TryReadLine(out ReadOnlySpan<byte> owner, out ulong epoch, out ulong version))
        {
            lines.Add(new(TextOf(owner), epoch, version));
        }

        return lines;
    }

    private static List<TableItem> Items(in TableFields fields)
    {
        List<TableItem> items = [];
        TableReader body = fields.Body;
        while (!body.IsAtEnd
            && body.TryReadItem(out ReadOnlySpan<byte> key, out ulong version, out bool deleted, out ReadOnlySpan<byte> value))
        {
            items.Add(new(TextOf(key), version, deleted ? null : (ReadOnlyMemory<byte>?)value.ToArray()));
        }

        return items;
    }

    private static void Write(ArrayBufferWriter<byte> bytes, TableMessage message)
    {
        switch (message)
        {
            case TableMessage.Summary summary:
                bytes.Write([(byte)TableKind.Summary]);
                WriteNumber(bytes, (ulong)summary.Networks.Count);
                foreach (NetworkFingerprint network in summary.Networks)
                {
                    WriteText(bytes, network.Network);
                    WriteNumber(bytes, network.Fingerprint);
                }

                break;
            case TableMessage.Digest digest:
                bytes.Write([(byte)TableKind.Digest]);
                WriteText(bytes, digest.Network);
                WriteText(bytes, digest.After);
                WriteText(bytes, digest.Through);
                WriteLines(bytes, digest.Lines);
                break;
            case TableMessage.Want want:
                WriteWant(bytes, want.Network, want.Lines);
                break;
            case TableMessage.Question question:
                WriteVersion(bytes, TableKind.Question, question.Network, question.Epoch, question.Version);
                break;
            case TableMessage.Acknowledgement answer:
                WriteVersion(bytes, TableKind.Acknowledgement, answer.Network, answer.Epoch, answer.Version);
                break;
            case TableMessage.Delta delta:
                WriteDelta(bytes, delta);
                break;
            default:
                throw new UnreachableException();
        }
    }

    /// <summary>A question or an acknowledgement.</summary>
    public static void WriteVersion(
        ArrayBufferWriter<byte> bytes, TableKind kind, string network, ulong epoch, ulong version)
    {
        bytes.Write([(byte)kind]);
        WriteText(bytes, network);
        WriteNumber(bytes, epoch);
        WriteNumber(bytes, version);
    }

    public static void WriteWant(ArrayBufferWriter<byte> bytes, string network, IReadOnlyList<DigestLine> lines)
    {
        bytes.Write([(byte)TableKind.Want]);
        WriteText(bytes, network);
        WriteLines(bytes, lines);
    }

    private static void WriteLines(ArrayBufferWriter<byte> bytes, IReadOnlyList<DigestLine> lines)
    {
        WriteNumber(bytes, (ulong)lines.Count);
        foreach (DigestLine line in lines)
        {
            WriteText(bytes, line.Owner);
            WriteNumber(bytes, line.Epoch);
            WriteNumber(bytes, line.Version);
        }
    }

    private static void WriteDelta(ArrayBufferWriter<byte> bytes, TableMessage.Delta delta)
    {
        bytes.Write([(byte)TableKind.Delta]);
        WriteText(bytes, delta.Network);
        WriteText(bytes, delta.Owner);
        WriteNumber(bytes, delta.Epoch);
        WriteNumber(bytes, delta.From);
        WriteNumber(bytes, delta.To);
        WriteNumber(bytes, delta.Head);
        WriteNumber(bytes, delta.Settled);
        WriteNumber(bytes, delta.Pruned);
        WriteNumber(bytes, (ulong)delta.Items.Count);
        foreach (TableItem item in delta.Items)
        {
            WriteText(bytes, item.Key);
            WriteNumber(bytes, item.Version);
            if (item.Value is not { } value)
            {
                bytes.Write<byte>([0]);
                continue;
            }

            bytes.Write<byte>([1]);
            WriteNumber(bytes, (ulong)value.Length);
            bytes.Write(value.Span);
        }
    }

    public static void WriteText(ArrayBufferWriter<byte> bytes, string text)
    {
        int length = Encoding.UTF8.GetByteCount(text);
        WriteNumber(bytes, (ulong)length);
        Encoding.UTF8.GetBytes(text, bytes.GetSpan(length));
        bytes.Advance(length);
    }

    public static void WriteNumber(ArrayBufferWriter<byte> bytes, ulong value)
    {
        Span<byte> span = bytes.GetSpan(10);
        int length = 0;
        while (value >= 0x80)
        {
            span[length++] = (byte)(value | 0x80);
            value >>= 7;
        }

        span[length++] = (byte)value;
        bytes.Advance(length);
    }
}
