namespace Overlay.Raft;

/// <summary>
/// Goes through a segment entry by entry, over what is damaged: by the record itself, by its identifier, by a later
/// record. Each entry that was durable gets a place; what is behind the last one is a write that never finished.
/// </summary>
internal sealed class SegmentWalk(ReadOnlyMemory<byte> file, SegmentFormat.Header header)
{
    /// <summary>How often a search behind a bad record compares a checksum: a bound for bytes of any origin.</summary>
    private const int MaxProbes = 1024;
    private const int Unknown = 0;

    private readonly List<LogEntry> entries = [];
    private readonly List<int> offsets = [];
    private readonly List<int> damaged = [];
    private readonly List<int> unidentified = [];
    private int probes;
    private string fault = "";

    public IReadOnlyList<LogEntry> Entries => entries;

    public IReadOnlyList<int> Offsets => offsets;

    public IReadOnlyList<int> Damaged => damaged;

    public IReadOnlyList<int> Unidentified => unidentified;

    public int End { get; private set; } = SegmentFormat.EntriesOffset;

    public ulong? SealedAt { get; private set; }

    private ulong Next => header.FirstIndex + (ulong)entries.Count;

    public (ScanVerdict Verdict, string Fault) Run()
    {
        ReadOnlySpan<byte> bytes = file.Span;
        if (SegmentFormat.TryReadSeal(bytes.Slice(SegmentFormat.SealOffset, SegmentFormat.SealBytes), header.Salt, out ulong sealedAt))
        {
            SealedAt = sealedAt;
        }

        int identified = LastIdentified(bytes);
        int position = SegmentFormat.EntriesOffset;
        while (entries.Count < SegmentFormat.MaxEntries)
        {
            position = TakeWhole(position);
            End = position;
            if (entries.Count <= identified)
            {
                Blame($"offset {position}: entry {Next} does not validate, though entries up to {header.FirstIndex + (ulong)identified} were durable");
                position = Skip(position, identified);
            }
            else if (SealedAt is { } last && last >= Next && last - header.FirstIndex < SegmentFormat.MaxEntries)
            {
                Blame($"offset {position}: it holds entries up to {Next - 1}, but was closed with entry {last}");
                position = SkipUnknown(position, last + 1);
            }
            else if (LaterRecord(position) is { } later)
            {
                Blame($"offset {position}: entry {Next} does not validate, though entry {later.Index} of a later batch does (offset {later.Offset})");
                position = SkipUnknown(position, later.Index, later.Offset);
            }
            else
            {
                break;
            }
        }

        return Verdict(bytes, position);
    }

    private (ScanVerdict Verdict, string Fault) Verdict(ReadOnlySpan<byte> bytes, int position)
    {
        InferTerms();
        if (fault.Length == 0 && SealedAt is { } last && last + 1 != Next)
        {
            fault = $"offset {End}: it holds entries up to {Next - 1}, but was closed with entry {last}";
        }

        if (fault.Length > 0)
        {
            return (ScanVerdict.Corrupt, fault);
        }

        // The padding of the last record may be missing.
        return bytes[Math.Min(position, bytes.Length)..].ContainsAnyExcept((byte)0)
            ? (ScanVerdict.Torn, $"offset {position}: a write of entry {Next} did not finish")
            : (ScanVerdict.Whole, "");
    }

    /// <summary>The last place whose identifier validates; -1: none does.</summary>
    private int LastIdentified(ReadOnlySpan<byte> bytes)
    {
        int last = -1;
        for (int slot = 0; slot < SegmentFormat.MaxEntries; slot++)
        {
            last = TryReadIdentifier(bytes, slot, out _) ? slot : last;
        }

        return last;
    }

    private bool TryReadIdentifier(ReadOnlySpan<byte> bytes, int slot, out SegmentFormat.Identifier identifier)
    {
        bool valid = SegmentFormat.TryReadIdentifier(
            bytes.Slice(IdentifierAt(slot), SegmentFormat.IdentifierBytes), header.FirstIndex + (ulong)slot, header.Salt, out identifier);
        if (header.IsSingle)
        {
            identifier = identifier with { Kind = EntryKind.Data };
        }

        return valid;
    }

    private bool TryReadRecord(int position, ulong index, out LogEntry entry)
    {
        entry = default;
        bool valid = position < file.Length && SegmentFormat.TryReadRecord(file[position..], index, header.Salt, out entry);
        if (header.IsSingle)
        {
            entry = entry with { Kind = EntryKind.Data };
        }

        return valid;
    }

    /// <returns>Behind the last record that validates without a gap.</returns>
    private int TakeWhole(int position)
    {
        while (entries.Count < SegmentFormat.MaxEntries && TryReadRecord(position, Next, out LogEntry entry))
        {
            Take(entry, position);
            position += SegmentFormat.RecordBytes(entry.Data.Length);
        }

        return position;
    }

    private void Take(in LogEntry entry, int position)
    {
        int slot = entries.Count;
        if (!TryReadIdentifier(file.Span, slot, out SegmentFormat.Identifier found))
        {
            unidentified.Add(slot);
        }
        else if (found != new SegmentFormat.Identifier(entry.Index, entry.Term, (uint)position, (uint)entry.Data.Length, entry.Kind))
        {
            // Both validate, so one is of another time: neither is believed.
            Blame(
                $"offset {IdentifierAt(slot)}: entry {entry.Index} is at {position}, but its identifier says {found.Offset}, "
                + $"{found.Length} bytes, term {found.Term}");
            Miss(0, EntryKind.Data, Unknown);
            return;
        }

        entries.Add(entry);
        offsets.Add(position);
    }

    /// <summary>Over the next entry, which does not validate here, though it was durable.</summary>
    /// <returns>Where the one behind it may begin.</returns>
    private int Skip(int position, int identified)
    {
        for (int slot = entries.Count; slot <= identified; slot++)
        {
            if (!TryReadIdentifier(file.Span, slot, out SegmentFormat.Identifier found) || found.Offset < position
                || found.Offset > SegmentFormat.MaxFileBytes || found.Length > SegmentFormat.MaxEntryBytes)
            {
                continue;
            }

            ulong index = header.FirstIndex + (ulong)slot;
            MissUpTo(index);
            if (!TryReadRecord((int)found.Offset, index, out LogEntry entry) || entry.Term != found.Term || entry.Data.Length != (int)found.Length)
            {
                Miss(found.Term, found.Kind, (int)found.Offset);
                return (int)found.Offset + SegmentFormat.RecordBytes((int)found.Length);
            }

            return (int)found.Offset;
        }

        return SkipUnknown(position, header.FirstIndex + (ulong)identified + 1);
    }

    private int SkipUnknown(int position, ulong next, int? offset = null)
    {
        MissUpTo(next);
        return offset ?? position;
    }

    private void MissUpTo(ulong next)
    {
        while (Next < next && entries.Count < SegmentFormat.MaxEntries)
        {
            Miss(0, EntryKind.Data, Unknown);
        }
    }

    private void Miss(ulong term, EntryKind kind, int offset)
    {
        damaged.Add(entries.Count);
        entries.Add(new(Next, term, kind, default));
        offsets.Add(offset);
    }

    /// <summary>A record that validates, of a batch that begins behind the next entry.</summary>
    private (ulong Index, int Offset)? LaterRecord(int position)
    {
        if (position >= file.Length || !file.Span[position..].ContainsAnyExcept((byte)0))
        {
            return null;
        }

        for (int at = position + 8; at + SegmentFormat.RecordHeaderBytes <= file.Length && probes < MaxProbes; at += 8)
        {
            (ulong index, ulong batchStart) = SegmentFormat.Claim(file.Span[at..]);
            if (batchStart <= Next || index - header.FirstIndex >= SegmentFormat.MaxEntries)
            {
                continue;
            }

            // A batch is written when the one before is durable: that one cannot be a write that did not finish.
            probes++;
            if (SegmentFormat.TryReadRecord(file[at..], index, header.Salt, out _))
            {
                return (index, at);
            }
        }

        return null;
    }

    /// <summary>Terms never fall: between two entries of one term every entry has it.</summary>
    private void InferTerms()
    {
        ulong before = header.PreviousTerm;
        for (int slot = 0; slot < entries.Count; slot++)
        {
            if (entries[slot].Term == 0)
            {
                int known = slot;
                while (known < entries.Count && entries[known].Term == 0)
                {
                    known++;
                }

                ulong inferred = known < entries.Count && entries[known].Term == before ? before : 0;
                for (int unknown = slot; unknown < known; unknown++)
                {
                    entries[unknown] = entries[unknown] with { Term = inferred };
                }

                slot = known;
            }

            before = slot < entries.Count ? entries[slot].Term : 0;
        }
    }

    private void Blame(string what) => fault = fault.Length > 0 ? fault : what;

    private static int IdentifierAt(int slot) => SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes);
}
