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

    private enum Kind : byte
    {
        Summary = 1,
        Digest = 2,
        Want = 3,
        Delta = 4,
        Question = 5,
        Acknowledgement = 6,
    }

    public static byte[] Encode(string sender, IEnumerable<TableMessage> messages)
    {
        var bytes = new ArrayBufferWriter<byte>(256);
        bytes.Write([Magic, FormatVersion]);
        WriteText(bytes, sender);
        foreach (TableMessage message in messages)
        {
            Write(bytes, message);
        }

        return bytes.WrittenSpan.ToArray();
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
        sender = "";
        if (!IsTablePayload(payload))
        {
            return false;
        }

        var reader = new TableReader(payload[2..]);
        if (!reader.TryReadText(MaxTextBytes, out string? name))
        {
            return false;
        }

        sender = name;
        while (!reader.IsAtEnd)
        {
            if (!TryRead(ref reader, out TableMessage? message))
            {
                return false;
            }

            into.Add(message);
        }

        return true;
    }

    private static bool TryRead(
        ref TableReader reader, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out TableMessage? message)
    {
        message = null;
        return reader.TryReadByte(out byte kind) && (Kind)kind switch
        {
            Kind.Summary => TryReadSummary(ref reader, out message),
            Kind.Digest => TryReadDigest(ref reader, out message),
            Kind.Want => TryReadWant(ref reader, out message),
            Kind.Delta => TryReadDelta(ref reader, out message),
            Kind.Question or Kind.Acknowledgement => TryReadVersion(ref reader, (Kind)kind, out message),
            _ => false,
        };
    }

    private static bool TryReadVersion(ref TableReader reader, Kind kind, out TableMessage? message)
    {
        message = null;
        if (!reader.TryReadText(MaxTextBytes, out string? network)
            || !reader.TryReadNumber(out ulong epoch) || !reader.TryReadNumber(out ulong version))
        {
            return false;
        }

        message = kind == Kind.Question
            ? new TableMessage.Question(network, epoch, version)
            : new TableMessage.Acknowledgement(network, epoch, version);
        return true;
    }

    private static bool TryReadSummary(ref TableReader reader, out TableMessage? message)
    {
        message = null;
        if (!reader.TryReadCount(2, out int count))
        {
            return false;
        }

        List<NetworkFingerprint> networks = [];
        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadText(MaxTextBytes, out string? network) || !reader.TryReadNumber(out ulong fingerprint))
            {
                return false;
            }

            networks.Add(new(network, fingerprint));
        }

        message = new TableMessage.Summary(networks);
        return true;
    }

    private static bool TryReadDigest(ref TableReader reader, out TableMessage? message)
    {
        message = null;
        if (!reader.TryReadText(MaxTextBytes, out string? network)
            || !reader.TryReadText(MaxTextBytes, out string? after)
            || !reader.TryReadText(MaxTextBytes, out string? through)
            || !TryReadLines(ref reader, out List<DigestLine> lines))
        {
            return false;
        }

        message = new TableMessage.Digest(network, after, through, lines);
        return true;
    }

    private static bool TryReadWant(ref TableReader reader, out TableMessage? message)
    {
        message = null;
        if (!reader.TryReadText(MaxTextBytes, out string? network)
            || !TryReadLines(ref reader, out List<DigestLine> lines))
        {
            return false;
        }

        message = new TableMessage.Want(network, lines);
        return true;
    }

    private static bool TryReadLines(ref TableReader reader, out List<DigestLine> lines)
    {
        lines = [];
        if (!reader.TryReadCount(3, out int count))
        {
            return false;
        }

        for (int i = 0; i < count; i++)
        {
            if (!reader.TryReadText(MaxTextBytes, out string? owner)
                || !reader.TryReadNumber(out ulong epoch)
                || !reader.TryReadNumber(out ulong version))
            {
                return false;
            }

            lines.Add(new(owner, epoch, version));
        }

        return true;
    }

    private static bool TryReadDelta(ref TableReader reader, out TableMessage? message)
    {
        message = null;
        if (!reader.TryReadText(MaxTextBytes, out string? network)
            || !reader.TryReadText(MaxTextBytes, out string? owner)
            || !reader.TryReadNumber(out ulong epoch)
            || !reader.TryReadNumber(out ulong from)
            || !reader.TryReadNumber(out ulong to)
            || !reader.TryReadNumber(out ulong head)
            || !reader.TryReadNumber(out ulong settled)
            || !reader.TryReadNumber(out ulong pruned)
            || !reader.TryReadCount(3, out int count)
            || owner.Length == 0 || epoch == 0 || from >= to || to > head)
        {
            return false;
        }

        List<TableItem> items = [];
        ulong last = from;
        for (int i = 0; i < count; i++)
        {
            if (!TryReadItem(ref reader, out TableItem item) || item.Version <= last || item.Version > to)
            {
                return false;
            }

            last = item.Version;
            items.Add(item);
        }

        message = new TableMessage.Delta(network, owner, epoch, from, to, head, settled, pruned, items);
        return true;
    }

    private static bool TryReadItem(ref TableReader reader, out TableItem item)
    {
        item = default;
        if (!reader.TryReadText(MaxTextBytes, out string? key)
            || !reader.TryReadNumber(out ulong version)
            || !reader.TryReadByte(out byte present)
            || present > 1)
        {
            return false;
        }

        if (present == 0)
        {
            item = new(key, version, null);
            return true;
        }

        if (!reader.TryReadBytes(MaxValueBytes, out ReadOnlySpan<byte> value))
        {
            return false;
        }

        item = new(key, version, value.ToArray());
        return true;
    }

    private static void Write(ArrayBufferWriter<byte> bytes, TableMessage message)
    {
        switch (message)
        {
            case TableMessage.Summary summary:
                bytes.Write([(byte)Kind.Summary]);
                WriteNumber(bytes, (ulong)summary.Networks.Count);
                foreach (NetworkFingerprint network in summary.Networks)
                {
                    WriteText(bytes, network.Network);
                    WriteNumber(bytes, network.Fingerprint);
                }

                break;
            case TableMessage.Digest digest:
                bytes.Write([(byte)Kind.Digest]);
                WriteText(bytes, digest.Network);
                WriteText(bytes, digest.After);
                WriteText(bytes, digest.Through);
                WriteLines(bytes, digest.Lines);
                break;
            case TableMessage.Want want:
                bytes.Write([(byte)Kind.Want]);
                WriteText(bytes, want.Network);
                WriteLines(bytes, want.Lines);
                break;
            case TableMessage.Question question:
                bytes.Write([(byte)Kind.Question]);
                WriteVersion(bytes, question.Network, question.Epoch, question.Version);
                break;
            case TableMessage.Acknowledgement answer:
                bytes.Write([(byte)Kind.Acknowledgement]);
                WriteVersion(bytes, answer.Network, answer.Epoch, answer.Version);
                break;
            case TableMessage.Delta delta:
                WriteDelta(bytes, delta);
                break;
            default:
                throw new UnreachableException();
        }
    }

    private static void WriteVersion(ArrayBufferWriter<byte> bytes, string network, ulong epoch, ulong version)
    {
        WriteText(bytes, network);
        WriteNumber(bytes, epoch);
        WriteNumber(bytes, version);
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
        bytes.Write([(byte)Kind.Delta]);
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
