namespace Overlay.Raft;

/// <summary>The entries behind a snapshot, as the segments give them one after the other.</summary>
internal sealed class EntryAssembly
{
    private readonly List<(LogEntry Entry, bool IsWhole)> slots = [];
    private SnapshotMark behind;

    /// <summary>The next entry that is not here yet.</summary>
    public ulong Next => behind.Index + (ulong)slots.Count + 1;

    /// <summary>The last entry that any segment holds or held, also before the snapshot.</summary>
    public ulong WrittenTo { get; private set; }

    public void Begin(SnapshotMark mark) => behind = mark;

    /// <returns>It is behind the snapshot, so that it counts.</returns>
    public bool Add(in LogEntry entry, bool whole)
    {
        WrittenTo = Math.Max(WrittenTo, entry.Index);
        if (entry.Index < Next)
        {
            return false;
        }

        slots.Add((entry, whole));
        return true;
    }

    public void MissUpTo(ulong last)
    {
        while (Next <= last)
        {
            slots.Add((new(Next, 0, EntryKind.Data, default), false));
        }

        WrittenTo = Math.Max(WrittenTo, last);
    }

    /// <summary>A segment that begins with this entry was begun behind one of that term: that is what is here.</summary>
    /// <param name="previousTerm">0: it does not say.</param>
    /// <param name="other">The term that contradicts.</param>
    public bool Follows(ulong first, ulong previousTerm, out ulong other)
    {
        other = 0;
        WrittenTo = Math.Max(WrittenTo, first - 1);
        if (previousTerm == 0 || first <= behind.Index || first > Next)
        {
            return true;
        }

        if (first == behind.Index + 1)
        {
            other = behind.Term;
            return behind.Index == 0 || other == previousTerm;
        }

        int slot = (int)(first - behind.Index - 2);
        (LogEntry entry, bool whole) = slots[slot];
        if (entry.Term == 0)
        {
            slots[slot] = (entry with { Term = previousTerm }, whole);
        }

        other = entry.Term;
        return other == 0 || other == previousTerm;
    }

    public void Finish(LogRecovery recovery)
    {
        InferTerms();
        recovery.Terms.Restart(behind);
        List<LogEntry> whole = [];
        List<DamagedRange> damaged = [];
        foreach ((LogEntry entry, bool isWhole) in slots)
        {
            recovery.Terms.Add(entry.Index, entry.Term);
            if (isWhole)
            {
                whole.Add(entry);
            }
            else if (damaged.Count > 0 && damaged[^1].Last + 1 == entry.Index && damaged[^1].Term == entry.Term)
            {
                damaged[^1] = damaged[^1] with { Last = entry.Index };
            }
            else
            {
                damaged.Add(new(entry.Index, entry.Index, entry.Term));
            }
        }

        recovery.Entries = whole;
        recovery.Damaged = damaged;
    }

    /// <summary>Terms never fall: between two entries of one term every entry has it.</summary>
    private void InferTerms()
    {
        ulong before = behind.Term;
        for (int slot = 0; slot < slots.Count; slot++)
        {
            int known = slot;
            while (known < slots.Count && slots[known].Entry.Term == 0)
            {
                known++;
            }

            ulong term = known < slots.Count ? slots[known].Entry.Term : 0;
            for (int unknown = slot; unknown < known && term == before; unknown++)
            {
                slots[unknown] = slots[unknown] with { Entry = slots[unknown].Entry with { Term = term } };
            }

            slot = known;
            before = term;
        }
    }
}
