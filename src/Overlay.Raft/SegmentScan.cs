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
    private SegmentScan(SegmentFormat.Header header, List<LogEntry> entries, long end, ScanVerdict verdict, string fault)
    {
        Header = header;
        Entries = entries;
        End = end;
        Verdict = verdict;
        Fault = fault;
    }

    public SegmentFormat.Header Header { get; }

    public IReadOnlyList<LogEntry> Entries { get; }

    /// <summary>Where the next record goes.</summary>
    public long End { get; }

    public ScanVerdict Verdict { get; }

    /// <summary>Offset and reason, in words.</summary>
    public string Fault { get; }

    public static SegmentScan Of(ReadOnlyMemory<byte> file)
    {
        if (!SegmentFormat.TryReadHeader(file.Span, out SegmentFormat.Header header))
        {
            return new(default, [], 0, ScanVerdict.Corrupt, "offset 0: the header does not validate");
        }

        List<LogEntry> entries = [];
        int end = SegmentFormat.EntriesOffset;
        ulong index = header.FirstIndex;
        while (end < file.Length && SegmentFormat.TryReadRecord(file[end..], index, header.Salt, out LogEntry entry))
        {
            entries.Add(entry);
            end += SegmentFormat.RecordBytes(entry.Data.Length);
            index++;
        }

        if (LastIdentified(file.Span, header) is { } last && last >= index)
        {
            return new(
                header, entries, end, ScanVerdict.Corrupt,
                $"offset {end}: entry {index} does not validate, though entries up to {last} were durable");
        }

        bool nothing = true;
        for (int i = end; i < file.Length && nothing; i++)
        {
            nothing = file.Span[i] == 0;
        }

        return nothing
            ? new(header, entries, end, ScanVerdict.Whole, "")
            : new(header, entries, end, ScanVerdict.Torn, $"offset {end}: a write of entry {index} did not finish");
    }

    private static ulong? LastIdentified(ReadOnlySpan<byte> file, SegmentFormat.Header header)
    {
        ulong? last = null;
        for (int slot = 0; slot < SegmentFormat.MaxEntries; slot++)
        {
            int at = SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes);
            if (at + SegmentFormat.IdentifierBytes > file.Length)
            {
                break;
            }

            if (SegmentFormat.TryReadIdentifier(file[at..], header.FirstIndex + (ulong)slot, header.Salt, out SegmentFormat.Identifier found))
            {
                last = found.Index;
            }
        }

        return last;
    }
}
