using System.Buffers;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>The segment that is written on: its records, identifiers, and what a start mends in it.</summary>
internal sealed class SegmentWriter : IDisposable
{
    private const int ZeroesAtOnce = 64 << 10;

    private readonly ILogFile file;
    private readonly SegmentCipher? cipher;
    private long end;

    private SegmentWriter(ILogFile file, string name, SegmentFormat.Header header, long end, ulong lastIndex, SegmentCipher? cipher)
    {
        this.file = file;
        this.cipher = cipher;
        this.end = end;
        Name = name;
        Header = header;
        LastIndex = lastIndex;
    }

    public string Name { get; }

    public SegmentFormat.Header Header { get; }

    /// <summary>The last entry in it, or the one before its first; it counts unless a later segment has it too.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>Identifiers were written since the last sync.</summary>
    public bool IsUnsettled { get; private set; }

    /// <summary>Zeroes are written, not skipped: later an identifier needs no room that a full disk does not have.</summary>
    /// <param name="cipher">Of the header, and owned from here on; null: entries are written in the clear.</param>
    public static SegmentWriter Create(ILogFolder folder, SegmentFormat.Header header, SegmentCipher? cipher)
    {
        string name = LogNames.Segment(header.Id, header.FirstIndex);
        byte[] bytes = new byte[ZeroesAtOnce];
        SegmentFormat.WriteHeader(bytes, header);
        using (ILogFile made = folder.Create(name + LogNames.UnfinishedSuffix))
        {
            for (int at = 0; at < SegmentFormat.EntriesOffset; at += bytes.Length)
            {
                if (at + bytes.Length == SegmentFormat.EntriesOffset)
                {
                    SegmentFormat.WriteHeader(bytes.AsSpan(SegmentFormat.HeaderCopyOffset - at), header);
                }

                made.Write(at, bytes);
                bytes.AsSpan(0, SegmentFormat.HeaderBytes).Clear();
            }

            made.Sync();
        }

        folder.Rename(name + LogNames.UnfinishedSuffix, name);
        folder.Sync();
        return new(folder.Open(name), name, header, SegmentFormat.EntriesOffset, header.FirstIndex - 1, cipher);
    }

    /// <summary>
    /// Cuts off what is torn, and makes durable what has no identifier yet before it gets one. Those entries are
    /// written again, because after a sync that failed the kernel calls pages clean that never reached the disk.
    /// </summary>
    public static SegmentWriter Mend(ILogFolder folder, string name, SegmentScan scan)
    {
        SegmentWriter writer = new(folder.Open(name), name, scan.Header, scan.End, scan.LastIndex, null);
        if (scan.Verdict == ScanVerdict.Torn)
        {
            writer.file.SetLength(scan.End);
        }

        foreach (int slot in scan.Unidentified)
        {
            // The very same bytes: if this write is torn, nothing changes.
            writer.file.Write(scan.Offsets[slot], scan.RecordOf(slot).Span);
        }

        writer.file.Sync();
        byte[] identifier = new byte[SegmentFormat.IdentifierBytes];
        foreach (int slot in scan.Unidentified)
        {
            LogEntry entry = scan.Entries[slot];
            SegmentFormat.WriteIdentifier(
                identifier, new(entry.Index, entry.Term, (uint)scan.Offsets[slot], (uint)entry.Data.Length, entry.Kind), scan.Header.Salt);
            writer.file.Write(SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes), identifier);
        }

        if (scan.Unidentified.Count > 0)
        {
            writer.file.Sync();
        }

        return writer;
    }

    /// <summary>Writes its header twice again, where a copy of it is damaged.</summary>
    public static void MendHeader(ILogFolder folder, string name, SegmentFormat.Header header)
    {
        byte[] bytes = new byte[SegmentFormat.HeaderBytes];
        SegmentFormat.WriteHeader(bytes, header);
        using ILogFile segment = folder.Open(name);
        foreach (int at in (int[])[0, SegmentFormat.HeaderCopyOffset])
        {
            segment.Write(at, bytes);
            segment.Sync();
        }
    }

    /// <summary>After the successor is durable: a seal without one means that it vanished.</summary>
    public static void Seal(ILogFolder folder, string name, ulong salt, ulong last)
    {
        byte[] seal = new byte[SegmentFormat.SealBytes];
        SegmentFormat.WriteSeal(seal, last, salt);
        using ILogFile segment = folder.Open(name);
        segment.Write(SegmentFormat.SealOffset, seal);
        segment.Sync();
    }

    public bool IsFull(LogLimits limits) =>
        end > limits.SegmentBytes || LastIndex + 1 - Header.FirstIndex >= (ulong)limits.SegmentEntries;

    /// <summary>Writes and syncs entries from that place on, as many as one batch has.</summary>
    /// <returns>How many entries were written.</returns>
    public int WriteBatch(ReadOnlySpan<LogEntry> entries, LogLimits limits)
    {
        int total = BytesOf(entries[0]);
        int count = 1;
        int most = Math.Min(entries.Length, (int)(limits.SegmentEntries - (long)(entries[0].Index - Header.FirstIndex)));
        while (count < most && BytesOf(entries[count]) is var next && total + next <= limits.BatchBytes)
        {
            total += next;
            count++;
        }

        byte[] records = ArrayPool<byte>.Shared.Rent(total);
        byte[] identifiers = ArrayPool<byte>.Shared.Rent(count * SegmentFormat.IdentifierBytes);
        try
        {
            int at = 0;
            for (int place = 0; place < count; place++)
            {
                LogEntry entry = cipher is null ? entries[place] : Closed(entries[place], end + at);
                int length = SegmentFormat.WriteRecord(records.AsSpan(at), entry, place, Header.Salt);
                SegmentFormat.WriteIdentifier(
                    identifiers.AsSpan(place * SegmentFormat.IdentifierBytes),
                    new(entry.Index, entry.Term, (uint)(end + at), (uint)entry.Data.Length, entry.Kind), Header.Salt);
                at += length;
            }

            file.Write(end, records.AsSpan(0, total));
            file.Sync();
            // Only now: an identifier says that its entry is durable. The next sync, or Settle, makes it so itself.
            long slot = (long)(entries[0].Index - Header.FirstIndex);
            file.Write(
                SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes),
                identifiers.AsSpan(0, count * SegmentFormat.IdentifierBytes));
            IsUnsettled = true;
            end += total;
            LastIndex += (ulong)count;
            return count;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(records);
            ArrayPool<byte>.Shared.Return(identifiers);
        }
    }

    public void Settle()
    {
        file.Sync();
        IsUnsettled = false;
    }

    public void Dispose()
    {
        file.Dispose();
        cipher?.Dispose();
    }

    private int BytesOf(in LogEntry entry) =>
        SegmentFormat.RecordBytes(cipher is null ? entry.Data.Length : SegmentCipher.BytesOf(entry.Data.Length));

    private LogEntry Closed(in LogEntry entry, long offset)
    {
        byte[] data = new byte[SegmentCipher.BytesOf(entry.Data.Length)];
        cipher!.Seal(entry, offset, data);
        return entry with { Data = data };
    }
}
