using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// A member's log in memory: entries behind a compaction point in a ring, and how far they are written, durable,
/// committed and applied.
/// </summary>
internal sealed class RaftLog
{
    private const int SmallRing = 1024;
    private LogEntry[] ring;

    /// <summary>The entry before the first one: its term is known though it may be gone.</summary>
    private SnapshotMark start;

    public RaftLog(RaftRecovered found)
    {
        Snapshot = found.Snapshot;
        start = found.Snapshot;
        Last = start.Index;
        int count = found.Entries.Count;
        ring = new LogEntry[RingFor(count)];
        if (count > 0 && found.Entries[^1].Index >= start.Index)
        {
            Take(found.Entries);
        }

        NextToWrite = Last + 1;
        Durable = Last;
        Invariant.Holds(
            found.Applied >= Snapshot.Index && found.Applied <= Last, "what was applied is in the snapshot or in the log");
        Applied = found.Applied;
        Invariant.Holds(found.State.Committed <= Last, "a change of members that is known to be committed is in the log");
        Commit = Math.Max(KnownCommitted(), found.State.Committed);
    }

    public SnapshotMark Snapshot { get; private set; }

    public ulong First => start.Index + 1;

    public ulong Last { get; private set; }

    public ulong LastTerm => Last == start.Index ? start.Term : At(Last).Term;

    /// <summary>The first entry that no write holds yet.</summary>
    public ulong NextToWrite { get; private set; }

    /// <summary>Written entries from here on are void, and no write says so yet; 0: none.</summary>
    public ulong VoidFrom { get; private set; }

    /// <summary>A snapshot that replaces everything, and that no write holds yet.</summary>
    public SnapshotMark? Install { get; private set; }

    public ulong Durable { get; private set; }

    public ulong Commit { get; private set; }

    public ulong Applied { get; private set; }

    public bool HasUnwritten => NextToWrite <= Last || VoidFrom != 0 || Install is not null;

    public ref readonly LogEntry At(ulong index)
    {
        Invariant.Holds(index > start.Index && index <= Last, "the log has the entry");
        return ref ring[(int)index & (ring.Length - 1)];
    }

    public bool TryTerm(ulong index, out ulong term)
    {
        bool known = index >= start.Index && index <= Last;
        term = !known ? 0 : index == start.Index ? start.Term : At(index).Term;
        return known;
    }

    public bool Matches(ulong index, ulong term) => TryTerm(index, out ulong ours) && ours == term;

    /// <summary>Raft, 5.4.1: the later term wins, then the longer log.</summary>
    public bool IsUpToDate(ulong lastIndex, ulong lastTerm) =>
        lastTerm > LastTerm || (lastTerm == LastTerm && lastIndex >= Last);

    /// <summary>
    /// The last entry at or before the index whose term is at most that: nothing between can agree with a log that has
    /// that term at the index. Term 0: it is compacted away.
    /// </summary>
    public SnapshotMark LastAtMost(ulong index, ulong term)
    {
        index = Math.Min(index, Last);
        while (index > start.Index)
        {
            ulong ours = At(index).Term;
            if (ours <= term)
            {
                return new(index, ours);
            }

            index--;
        }

        return index == start.Index && start.Term <= term ? start : new(index, 0);
    }

    public void Append(in LogEntry entry)
    {
        Invariant.Holds(entry.Index == Last + 1 && entry.Term >= LastTerm, "entries follow each other");
        if (Last - start.Index == (ulong)ring.Length)
        {
            Resize(2 * ring.Length);
        }

        Last++;
        ring[(int)Last & (ring.Length - 1)] = entry;
    }

    /// <summary>The entries from the index on are void.</summary>
    public void Truncate(ulong from)
    {
        Invariant.Holds(from > Commit, "what is committed stays");
        Clear(from, Last);
        Last = from - 1;
        Durable = Math.Min(Durable, Last);
        if (from < NextToWrite)
        {
            NextToWrite = from;
            VoidFrom = VoidFrom == 0 ? from : Math.Min(VoidFrom, from);
        }
    }

    /// <summary>A snapshot takes the place of everything.</summary>
    public void Replace(SnapshotMark mark)
    {
        Invariant.Holds(mark.Index > Commit, "a snapshot is ahead of what is committed");
        Clear(First, Last);
        start = mark;
        Snapshot = mark;
        Install = mark;
        Last = mark.Index;
        Commit = mark.Index;
        NextToWrite = Last + 1;
        VoidFrom = 0;
        Durable = 0;
    }

    /// <summary>A write holds everything now.</summary>
    public void Written()
    {
        NextToWrite = Last + 1;
        VoidFrom = 0;
        Install = null;
    }

    public void DurableTo(ulong index)
    {
        Invariant.Holds(index <= Last, "what is durable is in the log");
        Durable = Math.Max(Durable, index);
    }

    /// <summary>True: it was not before.</summary>
    public bool CommitTo(ulong index)
    {
        if (index > Last)
        {
            Invariant.Holds(false, $"entries up to {index} were acknowledged by this member, but its log ends with {Last}: its disk lost them");
        }

        bool more = index > Commit;
        Commit = Math.Max(Commit, index);
        return more;
    }

    public void AppliedTo(ulong index)
    {
        Invariant.Holds(index >= Applied && index <= Commit, "what is applied is committed, and each entry once");
        Applied = index;
    }

    /// <summary>A snapshot of what was applied is durable: entries before keepFrom are dropped.</summary>
    public void Compact(SnapshotMark mark, ulong keepFrom)
    {
        Invariant.Holds(mark.Index <= Applied && keepFrom <= mark.Index + 1, "what is dropped is in the snapshot");
        if (mark.Index > Snapshot.Index)
        {
            Invariant.Holds(Matches(mark.Index, mark.Term), "a snapshot ends with an entry of the log");
            Snapshot = mark;
        }

        if (keepFrom <= First)
        {
            return;
        }

        SnapshotMark before = new(keepFrom - 1, At(keepFrom - 1).Term);
        Clear(First, keepFrom - 1);
        start = before;
        int count = (int)(Last - start.Index);
        if (ring.Length > SmallRing && count < ring.Length / 8)
        {
            Resize(RingFor(2 * count));
        }
    }

    /// <summary>How many entries from the index on hold so many bytes: one at least, if there is one.</summary>
    public int Count(ulong from, ulong to, long maxBytes, int maxCount, out long bytes)
    {
        int count = 0;
        bytes = 0;
        for (ulong index = from; index <= to && count < maxCount; index++)
        {
            long next = bytes + At(index).Data.Length;
            if (count > 0 && next > maxBytes)
            {
                break;
            }

            bytes = next;
            count++;
        }

        return count;
    }

    public void CopyTo(ulong from, Span<LogEntry> entries)
    {
        for (int i = 0; i < entries.Length; i++)
        {
            entries[i] = At(from + (ulong)i);
        }
    }

    /// <summary>Bytes of the entries behind one index up to another.</summary>
    public long Bytes(ulong after, ulong to)
    {
        long bytes = 0;
        for (ulong index = after + 1; index <= to; index++)
        {
            bytes += At(index).Data.Length;
        }

        return bytes;
    }

    private void Take(IReadOnlyList<LogEntry> entries)
    {
        LogEntry first = entries[0];
        Invariant.Holds(first.Index <= start.Index + 1, "no entry is missing between snapshot and log");
        int skip = 0;
        if (first.Index == 1)
        {
            start = default;
        }
        else if (first.Index <= start.Index)
        {
            // The term of the entry before the first is unknown, so the first one takes its place.
            start = new(first.Index, first.Term);
            skip = 1;
        }

        Last = start.Index;
        for (int i = skip; i < entries.Count; i++)
        {
            Append(entries[i]);
        }

        Invariant.Holds(Matches(Snapshot.Index, Snapshot.Term), "the log agrees with the snapshot");
    }

    /// <summary>
    /// A change of members is proposed only after the one before was applied: so whatever is before the last change in the
    /// log, up to the change before it, is committed, though the commit index was forgotten. Without that, a member could
    /// campaign with the voters of two changes ago, whose majority need not meet the present one's.
    /// </summary>
    private ulong KnownCommitted()
    {
        ulong known = Applied;
        ulong last = 0;
        for (ulong index = Math.Max(Applied + 1, First); index <= Last; index++)
        {
            if (At(index).Kind == EntryKind.Configuration)
            {
                known = last == 0 ? known : last;
                last = index;
            }
        }

        return known;
    }

    private static int RingFor(int count)
    {
        int length = SmallRing;
        while (length < count)
        {
            length *= 2;
        }

        return length;
    }

    private void Resize(int length)
    {
        LogEntry[] other = new LogEntry[length];
        for (ulong index = First; index <= Last; index++)
        {
            other[(int)index & (length - 1)] = At(index);
        }

        ring = other;
    }

    private void Clear(ulong from, ulong to)
    {
        for (ulong index = from; index <= to; index++)
        {
            ring[(int)index & (ring.Length - 1)] = default;
        }
    }
}
