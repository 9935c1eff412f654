using System.Buffers;
using System.Buffers.Binary;
using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Raft.Wire;

/// <summary>
/// The bytes of a <see cref="RaftMessage"/>, little-endian: length 4 (of all of it), version 1, kind 1, flags 1 (1 reject,
/// 2 transfer, 4 snapshot), zero 1, then 8 each: from, to, term, log term, index, commit, hint, context, applied, hash; with a
/// snapshot its index 8, term 8, bytes of the configuration 4 and these; count of entries 4, and for each: term 8, kind 1,
/// length 4, data. Entries are at the message's index + 1 and on. Messages can lie behind each other.
/// </summary>
public static class RaftMessageCodec
{
    /// <summary>The longest message that is read: one entry of the largest size, and change.</summary>
    public const int MaxMessageBytes = (64 << 20) + 65536;

    public const int MaxEntries = 1 << 20;
    private const byte Version = 1;
    private const int FixedBytes = 8 + (10 * 8);
    private const int SnapshotBytes = 20;
    private const int EntryBytes = 13;
    private const byte RejectFlag = 1;
    private const byte TransferFlag = 2;
    private const byte SnapshotFlag = 4;

    public static int ByteCount(in RaftMessage message)
    {
        long bytes = FixedBytes + 4;
        if (message.Configuration is { } configuration)
        {
            bytes += SnapshotBytes + configuration.ByteCount;
        }

        foreach (ref readonly LogEntry entry in message.Entries.Span)
        {
            bytes += EntryBytes + entry.Data.Length;
        }

        Invariant.Holds(bytes <= MaxMessageBytes && message.Entries.Length <= MaxEntries, "a message is within its limits");
        return (int)bytes;
    }

    public static void Write(in RaftMessage message, IBufferWriter<byte> writer)
    {
        int length = ByteCount(message);
        Span<byte> span = writer.GetSpan(length);
        BinaryPrimitives.WriteUInt32LittleEndian(span, (uint)length);
        span[4] = Version;
        span[5] = (byte)message.Kind;
        span[6] = (byte)((message.Reject ? RejectFlag : 0) | (message.Transfer ? TransferFlag : 0)
            | (message.Configuration is null ? 0 : SnapshotFlag));
        span[7] = 0;
        int at = 8;
        WriteNumber(span, ref at, message.From.Value);
        WriteNumber(span, ref at, message.To.Value);
        WriteNumber(span, ref at, message.Term);
        WriteNumber(span, ref at, message.LogTerm);
        WriteNumber(span, ref at, message.Index);
        WriteNumber(span, ref at, message.Commit);
        WriteNumber(span, ref at, message.RejectHint);
        WriteNumber(span, ref at, message.Context);
        WriteNumber(span, ref at, message.AppliedIndex);
        WriteNumber(span, ref at, message.StateHash);
        if (message.Configuration is { } configuration)
        {
            WriteNumber(span, ref at, message.Snapshot.Index);
            WriteNumber(span, ref at, message.Snapshot.Term);
            BinaryPrimitives.WriteUInt32LittleEndian(span[at..], (uint)configuration.ByteCount);
            at += 4;
            configuration.ToBytes().CopyTo(span[at..]);
            at += configuration.ByteCount;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(span[at..], (uint)message.Entries.Length);
        at += 4;
        WriteEntries(message, span[at..]);
        writer.Advance(length);
    }

    /// <summary>
    /// The message at the start of the bytes, if it is whole and within its limits. The data of its entries stays in the
    /// bytes, which must not change any more once the message was given to a core.
    /// </summary>
    /// <param name="entries">Memory for the entries, made larger if need be; the message is valid until it is used again.</param>
    /// <param name="consumed">Where the next message begins.</param>
    public static bool TryRead(
        ReadOnlyMemory<byte> bytes, ref LogEntry[] entries, out RaftMessage message, out int consumed)
    {
        message = default;
        consumed = 0;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length < FixedBytes + 4)
        {
            return false;
        }

        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span);
        if (length > (uint)Math.Min(span.Length, MaxMessageBytes) || length < FixedBytes + 4 || span[4] != Version
            || span[5] is 0 or > (byte)MessageKind.ReadResponse || (span[6] & ~7) != 0 || span[7] != 0)
        {
            return false;
        }

        bytes = bytes[..(int)length];
        RaftMessage read = ReadFixed(bytes.Span);
        int at = FixedBytes;
        if ((span[6] & SnapshotFlag) != 0 && !TryReadSnapshot(bytes.Span, ref at, ref read))
        {
            return false;
        }

        if (!TryReadEntries(bytes, at, read.Index, ref entries, out int count))
        {
            return false;
        }

        message = read with { Entries = entries.AsMemory(0, count) };
        consumed = (int)length;
        return true;
    }

    /// <summary>As <see cref="TryRead(ReadOnlyMemory{byte}, ref LogEntry[], out RaftMessage, out int)"/>, for exactly one message.</summary>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, out RaftMessage message)
    {
        LogEntry[] entries = [];
        return TryRead(bytes, ref entries, out message, out int consumed) && consumed == bytes.Length;
    }

    private static RaftMessage ReadFixed(ReadOnlySpan<byte> span) => new()
    {
        Kind = (MessageKind)span[5],
        Reject = (span[6] & RejectFlag) != 0,
        Transfer = (span[6] & TransferFlag) != 0,
        From = new(Number(span, 0)),
        To = new(Number(span, 1)),
        Term = Number(span, 2),
        LogTerm = Number(span, 3),
        Index = Number(span, 4),
        Commit = Number(span, 5),
        RejectHint = Number(span, 6),
        Context = Number(span, 7),
        AppliedIndex = Number(span, 8),
        StateHash = Number(span, 9),
    };

    private static void WriteEntries(in RaftMessage message, Span<byte> span)
    {
        ulong index = message.Index;
        foreach (ref readonly LogEntry entry in message.Entries.Span)
        {
            Invariant.Holds(entry.Index == ++index, "a message's entries are without gaps");
            BinaryPrimitives.WriteUInt64LittleEndian(span, entry.Term);
            span[8] = (byte)entry.Kind;
            BinaryPrimitives.WriteUInt32LittleEndian(span[9..], (uint)entry.Data.Length);
            entry.Data.Span.CopyTo(span[EntryBytes..]);
            span = span[(EntryBytes + entry.Data.Length)..];
        }
    }

    private static bool TryReadSnapshot(ReadOnlySpan<byte> span, ref int at, ref RaftMessage message)
    {
        if (span.Length - at < SnapshotBytes)
        {
            return false;
        }

        SnapshotMark mark = new(
            BinaryPrimitives.ReadUInt64LittleEndian(span[at..]), BinaryPrimitives.ReadUInt64LittleEndian(span[(at + 8)..]));
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[(at + 16)..]);
        at += SnapshotBytes;
        if (length > (uint)(span.Length - at) || !Configuration.TryRead(span.Slice(at, (int)length), out Configuration? configuration))
        {
            return false;
        }

        at += (int)length;
        message = message with { Snapshot = mark, Configuration = configuration };
        return true;
    }

    private static bool TryReadEntries(ReadOnlyMemory<byte> bytes, int at, ulong index, ref LogEntry[] entries, out int count)
    {
        count = 0;
        ReadOnlySpan<byte> span = bytes.Span;
        if (span.Length - at < 4)
        {
            return false;
        }

        uint claimed = BinaryPrimitives.ReadUInt32LittleEndian(span[at..]);
        at += 4;
        if (claimed > MaxEntries || claimed > (uint)(span.Length - at) / EntryBytes || index > ulong.MaxValue - claimed)
        {
            return false;
        }

        if (entries.Length < claimed)
        {
            entries = new LogEntry[Math.Max(64, (int)claimed)];
        }

        for (; count < claimed; count++)
        {
            if (span.Length - at < EntryBytes || span[at + 8] > (byte)EntryKind.Configuration)
            {
                return false;
            }

            uint length = BinaryPrimitives.ReadUInt32LittleEndian(span[(at + 9)..]);
            if (length > (uint)(span.Length - at - EntryBytes))
            {
                return false;
            }

            entries[count] = new(
                ++index, BinaryPrimitives.ReadUInt64LittleEndian(span[at..]), (EntryKind)span[at + 8],
                bytes.Slice(at + EntryBytes, (int)length));
            at += EntryBytes + (int)length;
        }

        return at == span.Length;
    }

    private static void WriteNumber(Span<byte> span, ref int at, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(span[at..], value);
        at += 8;
    }

    private static ulong Number(ReadOnlySpan<byte> span, int position) =>
        BinaryPrimitives.ReadUInt64LittleEndian(span[(8 + (8 * position))..]);
}
