namespace Overlay.Raft;

public enum ScanVerdict
{
    /// <summary>Every byte that was ever acknowledged is there.</summary>
    Whole,

    /// <summary>The last write did not finish; nothing acknowledged is missing. The file ends at <see cref="SegmentScan.End"/>.</summary>
    Torn,

    /// <summary>Something that was acknowledged does not validate; see <see cref="SegmentScan.Fault"/>.</summary>
    Corrupt,
}

/// <summary>What a segment's bytes hold.</summary>
public sealed class SegmentScan
{
    /// <summary>How often a search behind a bad record compares a checksum: a bound for bytes of any origin.</summary>
    private const int MaxProbes = 1024;

    private readonly ReadOnlyMemory<byte> file;

    private SegmentScan(SegmentFormat.Header header, ReadOnlyMemory<byte> file)
    {
        this.file = file;
        Header = header;
        End = SegmentFormat.EntriesOffset;
    }

    public SegmentFormat.Header Header { get; }

    public IReadOnlyList<LogEntry> Entries { get; private init; } = [];

    /// <summary>Where each of <see cref="Entries"/> begins.</summary>
    public IReadOnlyList<int> Offsets { get; private init; } = [];

    /// <summary>Where the next record goes.</summary>
    public int End { get; private init; }

    /// <summary>The last entry, or the one before the first.</summary>
    public ulong LastIndex => Header.FirstIndex + (ulong)Entries.Count - 1;

    /// <summary>
    /// Positions in <see cref="Entries"/> whose identifier is absent or does not validate. It must be written before
    /// the entry may count as durable: without it a damage that comes later would be taken for a torn write.
    /// </summary>
    public IReadOnlyList<int> Unidentified { get; private init; } = [];

    /// <summary>It has a successor, made durable before the seal.</summary>
    public bool IsSealed { get; private init; }

    public ScanVerdict Verdict { get; private init; }

    /// <summary>Offset and reason, in words; empty: it is whole.</summary>
    public string Fault { get; private init; } = "";

    public static SegmentScan Of(ReadOnlyMemory<byte> file)
    {
        if (file.Length > SegmentFormat.MaxFileBytes)
        {
            return Corrupt(
                default, $"offset {SegmentFormat.MaxFileBytes}: the file goes on to {file.Length}, more than a segment can have");
        }

        if (!SegmentFormat.TryReadHeader(file.Span, out SegmentFormat.Header header))
        {
            return Corrupt(default, "offset 0: the header does not validate");
        }

        if (file.Length < SegmentFormat.EntriesOffset)
        {
            return Corrupt(
                header, $"offset {file.Length}: the file ends there, but a segment has {SegmentFormat.EntriesOffset} bytes before its first entry");
        }

        List<LogEntry> entries = [];
        List<int> offsets = [];
        int end = SegmentFormat.EntriesOffset;
        while (end < file.Length && entries.Count < SegmentFormat.MaxEntries
            && SegmentFormat.TryReadRecord(file[end..], header.FirstIndex + (ulong)entries.Count, header.Salt, out LogEntry entry))
        {
            entries.Add(entry);
            offsets.Add(end);
            end += SegmentFormat.RecordBytes(entry.Data.Length);
        }

        string contradiction = CheckIdentifiers(file.Span, header, entries, offsets, end, out List<int> unidentified);
        bool isSealed = SegmentFormat.TryReadSeal(
            file.Span.Slice(SegmentFormat.SealOffset, SegmentFormat.SealBytes), header.Salt, out ulong sealedAt);
        (ScanVerdict verdict, string fault) = contradiction.Length > 0
            ? (ScanVerdict.Corrupt, contradiction)
            : JudgeTail(file.Span, file, header, end, header.FirstIndex + (ulong)entries.Count, isSealed ? sealedAt : null);
        return new(header, file)
        {
            Entries = entries,
            Offsets = offsets,
            End = end,
            Unidentified = unidentified,
            IsSealed = isSealed,
            Verdict = verdict,
            Fault = fault,
        };
    }

    /// <summary>The bytes of an entry's record as they are in the file, without padding.</summary>
    public ReadOnlyMemory<byte> RecordOf(int slot) =>
        file.Slice(Offsets[slot], SegmentFormat.RecordHeaderBytes + Entries[slot].Data.Length);

    private static SegmentScan Corrupt(SegmentFormat.Header header, string fault) =>
        new(header, default) { Verdict = ScanVerdict.Corrupt, Fault = fault };

    /// <summary>In words how an identifier that validates contradicts the entries; empty: none does.</summary>
    private static string CheckIdentifiers(
        ReadOnlySpan<byte> file, SegmentFormat.Header header, List<LogEntry> entries, List<int> offsets, int end,
        out List<int> unidentified)
    {
        unidentified = [];
        ulong? last = null;
        for (int slot = 0; slot < SegmentFormat.MaxEntries; slot++)
        {
            int at = SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes);
            ulong index = header.FirstIndex + (ulong)slot;
            bool valid = SegmentFormat.TryReadIdentifier(
                file.Slice(at, SegmentFormat.IdentifierBytes), index, header.Salt, out SegmentFormat.Identifier found);
            if (slot >= entries.Count)
            {
                last = valid ? index : last;
            }
            else if (!valid)
            {
                unidentified.Add(slot);
            }
            else if (found != new SegmentFormat.Identifier(index, entries[slot].Term, (uint)offsets[slot], (uint)entries[slot].Data.Length))
            {
                return $"offset {at}: entry {index} is at {offsets[slot]}, but its identifier says {found.Offset}, "
                    + $"{found.Length} bytes, term {found.Term}";
            }
        }

        return last is null
            ? ""
            : $"offset {end}: entry {header.FirstIndex + (ulong)entries.Count} does not validate, though entries up to {last} were durable";
    }

    /// <summary>Behind the last record that validates: nothing, an unfinished write, or a damaged one.</summary>
    private static (ScanVerdict Verdict, string Fault) JudgeTail(
        ReadOnlySpan<byte> file, ReadOnlyMemory<byte> memory, SegmentFormat.Header header, int end, ulong next, ulong? sealedAt)
    {
        if (sealedAt is { } last && last + 1 != next)
        {
            return (ScanVerdict.Corrupt, $"offset {end}: it holds entries up to {next - 1}, but was closed with entry {last}");
        }

        // The padding of the last record may be missing.
        if (!file[Math.Min(end, file.Length)..].ContainsAnyExcept((byte)0))
        {
            return (ScanVerdict.Whole, "");
        }

        int probes = 0;
        for (int at = end + 8; at + SegmentFormat.RecordHeaderBytes <= file.Length && probes < MaxProbes; at += 8)
        {
            (ulong index, ulong batchStart) = SegmentFormat.Claim(file[at..]);
            if (batchStart <= next || index - next > SegmentFormat.MaxEntries)
            {
                continue;
            }

            // A batch is written when the one before is durable: that one cannot be a write that did not finish.
            probes++;
            if (SegmentFormat.TryReadRecord(memory[at..], index, header.Salt, out _))
            {
                return (
                    ScanVerdict.Corrupt,
                    $"offset {end}: entry {next} does not validate, though entry {index} of a later batch does (offset {at})");
            }
        }

        return (ScanVerdict.Torn, $"offset {end}: a write of entry {next} did not finish");
    }
}
