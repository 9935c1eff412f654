namespace Overlay.Raft;

/// <summary>What a segment's bytes hold.</summary>
public sealed class SegmentScan
{
    private readonly ReadOnlyMemory<byte> file;

    private SegmentScan(SegmentFormat.Header header, ReadOnlyMemory<byte> file)
    {
        this.file = file;
        Header = header;
        End = SegmentFormat.EntriesOffset;
    }

    public SegmentFormat.Header Header { get; }

    /// <summary>False: what it held is not known, not even how much; there are no <see cref="Entries"/>.</summary>
    public bool HasHeader { get; private init; }

    /// <summary>One of the header's two copies does not validate.</summary>
    public bool IsHeaderDamaged { get; private init; }

    /// <summary>
    /// Every one that was durable, from the first index on without gaps, as the bytes are in the file. Of a damaged one the
    /// data is empty, and the term is 0 if its identifier is damaged too.
    /// </summary>
    public IReadOnlyList<LogEntry> Entries { get; private init; } = [];

    /// <summary>Where each of <see cref="Entries"/> begins; 0: damaged, and not known.</summary>
    public IReadOnlyList<int> Offsets { get; private init; } = [];

    /// <summary>Positions in <see cref="Entries"/> that do not validate.</summary>
    public IReadOnlyList<int> Damaged { get; private init; } = [];

    /// <summary>Where the next record goes; of a segment with damage nothing may be written there.</summary>
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
            return Unknown($"offset {SegmentFormat.MaxFileBytes}: the file goes on to {file.Length}, more than a segment can have");
        }

        if (!SegmentFormat.TryReadHeader(file.Span, out SegmentFormat.Header header))
        {
            return Unknown("offset 0: the header does not validate");
        }

        if (file.Length < SegmentFormat.EntriesOffset)
        {
            return Unknown(
                $"offset {file.Length}: the file ends there, but a segment has {SegmentFormat.EntriesOffset} bytes before its first entry");
        }

        SegmentWalk walk = new(file, header);
        (ScanVerdict verdict, string fault) = walk.Run();
        return new(header, file)
        {
            HasHeader = true,
            IsHeaderDamaged = !header.IsSingle && !HasBothHeaders(file.Span),
            Entries = walk.Entries,
            Offsets = walk.Offsets,
            Damaged = walk.Damaged,
            End = walk.End,
            Unidentified = walk.Unidentified,
            IsSealed = walk.SealedAt is not null,
            Verdict = verdict,
            Fault = fault,
        };
    }

    /// <summary>The bytes of an entry's record as they are in the file, without padding.</summary>
    public ReadOnlyMemory<byte> RecordOf(int slot) =>
        file.Slice(Offsets[slot], SegmentFormat.RecordHeaderBytes + Entries[slot].Data.Length);

    private static SegmentScan Unknown(string fault) => new(default, default) { Verdict = ScanVerdict.Corrupt, Fault = fault };

    private static bool HasBothHeaders(ReadOnlySpan<byte> file) =>
        SegmentFormat.TryReadHeaderCopy(file, out _) && SegmentFormat.TryReadHeaderCopy(file[SegmentFormat.HeaderCopyOffset..], out _);
}
