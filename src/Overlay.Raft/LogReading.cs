using Overlay.Raft.Secrecy;

namespace Overlay.Raft;

/// <summary>The way from a folder's files to a <see cref="LogRecovery"/>.</summary>
internal sealed class LogReading(Func<string, FileContent> read, LogKeys? keys, bool asWritten)
{
    /// <summary>So many entries that no file has are taken for missing ones; more are another log's.</summary>
    private const ulong LongestGap = 1 << 20;

    private readonly LogRecovery recovery = new();
    private readonly List<string> notes = [];
    private readonly List<SegmentExtent> closed = [];
    private readonly List<SegmentFinding> segments = [];
    private readonly List<ulong> valid = [];
    private readonly List<ulong> damagedSnapshots = [];
    private readonly EntryAssembly entries = new();
    private LogFault? fault;

    private ulong Covered => recovery.Snapshot?.Index ?? 0;

    public LogRecovery Run(IEnumerable<string> names)
    {
        string[] all = [.. names.Order(StringComparer.Ordinal)];
        if (Read(all) is { } lost)
        {
            recovery.Fault = lost;
            recovery.IsLost = true;
        }
        else
        {
            recovery.Fault = fault;
            recovery.Obsolete = fault is null ? LogRetention.Obsolete(valid, valid.Concat(damagedSnapshots), closed) : [];
        }

        entries.Finish(recovery);
        recovery.Notes = notes;
        recovery.ValidSnapshots = valid;
        recovery.Closed = closed;
        recovery.Segments = segments;
        return recovery;
    }

    /// <returns>What other members cannot make up for.</returns>
    private LogFault? Read(string[] names)
    {
        List<(ulong Id, ulong First, string Name)> found = [];
        List<ulong> snapshots = [];
        foreach (string name in names)
        {
            if (LogNames.TryReadSegment(name, out ulong id, out ulong first))
            {
                found.Add((id, first, name));
            }
            else if (LogNames.TryReadSnapshot(name, out ulong index))
            {
                snapshots.Add(index);
            }
            else if (name.EndsWith(LogNames.SegmentSuffix, StringComparison.Ordinal)
                || name.EndsWith(LogNames.SnapshotSuffix, StringComparison.Ordinal))
            {
                return new(name, "no file of the log has such a name");
            }
        }

        snapshots.Sort();
        snapshots.Reverse();
        foreach (ulong index in snapshots)
        {
            if (ReadSnapshot(index) is { } closed)
            {
                return closed;
            }
        }

        found.Sort();
        entries.Begin(recovery.Snapshot?.Mark ?? default);
        ulong[] lasts = Lasts(found);
        recovery.NextSegment = Math.Max(found.Count > 0 ? found[^1].Id + 1 : 1, recovery.Snapshot?.FollowedBy ?? 0);
        for (int i = 0; i < found.Count; i++)
        {
            bool follows = i + 1 < found.Count;
            if (follows && found[i + 1].Id == found[i].Id)
            {
                return new(found[i + 1].Name, $"another segment has the number {found[i].Id} too");
            }

            if (ReadSegment(found[i], lasts[i], follows) is { } lost)
            {
                return lost;
            }
        }

        return CheckEnd();
    }

    /// <summary>Which entries of each segment count: those before the first of any later one.</summary>
    private ulong[] Lasts(List<(ulong Id, ulong First, string Name)> found)
    {
        ulong[] lasts = new ulong[found.Count];
        ulong last = ulong.MaxValue;
        for (int i = found.Count - 1; i >= 0; i--)
        {
            // A snapshot that came in place of the log leaves nothing behind it but what was written since.
            bool replaced = recovery.Snapshot is { } snapshot && found[i].Id < snapshot.FollowedBy;
            lasts[i] = replaced ? Math.Min(last, Covered) : last;
            last = Math.Min(last, found[i].First - Math.Min(found[i].First, 1));
        }

        return lasts;
    }

    private LogFault? ReadSnapshot(ulong index)
    {
        string name = LogNames.Snapshot(index);
        FileContent content = read(name);
        if (content.Unreadable.Length == 0 && SnapshotFormat.TryRead(content.Bytes, index, out LogSnapshot? snapshot)
            && TryOpen(ref snapshot, out LogFault? closed))
        {
            if (closed is not null)
            {
                return closed;
            }

            recovery.Snapshot ??= snapshot;
            recovery.Member = recovery.Member.IsNone ? snapshot!.Member : recovery.Member;
            valid.Add(index);
            return null;
        }

        damagedSnapshots.Add(index);
        string reason = content.Unreadable.Length > 0 ? $"cannot be read ({content.Unreadable})" : "does not validate";
        notes.Add($"Snapshot {name} {reason}; the state is taken from what was before it.");
        return null;
    }

    /// <returns>False: it is damaged.</returns>
    private bool TryOpen(ref LogSnapshot? snapshot, out LogFault? closed)
    {
        closed = null;
        ulong key = snapshot!.Key;
        if (key == 0 || asWritten)
        {
            return true;
        }

        if (keys?.Find(key) is null)
        {
            closed = new(LogNames.Snapshot(snapshot.Index), NoKey(key));
            return true;
        }

        return keys.TryOpenSnapshot(snapshot, key, snapshot.Salt, out snapshot);
    }

    private static string NoKey(ulong key) => $"it is encrypted with data key {key:x}, which is not here";

    private LogFault? ReadSegment((ulong Id, ulong First, string Name) segment, ulong last, bool follows)
    {
        bool isClosed = follows || last < ulong.MaxValue;
        if (isClosed)
        {
            closed.Add(new(segment.Name, segment.First, last));
            if (valid.Count >= LogRetention.SnapshotsKept && last <= valid[LogRetention.SnapshotsKept - 1])
            {
                // The rest of a deletion that did not finish: others of it may be gone already.
                return null;
            }
        }

        FileContent content = read(segment.Name);
        SegmentScan? scan = content.Unreadable.Length > 0 ? null : SegmentScan.Of(content.Bytes);
        string useless = scan is null ? $"it cannot be read: {content.Unreadable}" : Useless(scan, segment.Id, segment.First);
        segments.Add(new(segment.Name, segment.Id, segment.First, last, useless.Length > 0 ? null : scan));
        if (useless.Length > 0)
        {
            return Miss(segment, last, useless);
        }

        if (scan!.IsHeaderDamaged)
        {
            notes.Add($"Segment {segment.Name}: one of the two copies of its header does not validate; it was written again.");
        }

        if (Join(scan, segment.Name, last) is { } lost)
        {
            return lost;
        }

        return isClosed ? Close(scan, segment.Name, last, follows) : End(scan, segment.Name);
    }

    private static string Useless(SegmentScan scan, ulong id, ulong first) =>
        !scan.HasHeader ? scan.Fault
        : scan.Header.Id != id || scan.Header.FirstIndex != first
            ? $"offset 12: inside it is segment {scan.Header.Id} from entry {scan.Header.FirstIndex}"
            : "";

    /// <summary>Nothing of the segment is to be had.</summary>
    private LogFault? Miss((ulong Id, ulong First, string Name) segment, ulong last, string useless)
    {
        if (last == ulong.MaxValue)
        {
            return new(segment.Name, useless);
        }

        if (last <= Covered || last < segment.First)
        {
            Spare(segment.Name, useless);
            return null;
        }

        return MissUpTo(last, new(segment.Name, useless));
    }

    /// <summary>Takes the entries that count.</summary>
    private LogFault? Join(SegmentScan scan, string name, ulong last)
    {
        SegmentFormat.Header header = scan.Header;
        if (!header.Member.IsNone)
        {
            if (!recovery.Member.IsNone && recovery.Member != header.Member)
            {
                return new(name, $"it is of member {header.Member}, another one of member {recovery.Member}");
            }

            recovery.Member = header.Member;
        }

        if (last < header.FirstIndex)
        {
            return null;
        }

        if (header.FirstIndex > entries.Next)
        {
            bool wereInSegments = header.Id > 1 && header.FirstIndex - entries.Next <= SegmentFormat.MaxEntries;
            if (entries.Next == Covered + 1 && !wereInSegments)
            {
                // There is no number left for a segment before this one: what it follows was always a snapshot.
                recovery.SnapshotNeeded = header.FirstIndex - 1;
            }

            if (MissUpTo(header.FirstIndex - 1, MissingStart(header.FirstIndex)) is { } lost)
            {
                return lost;
            }
        }

        if (!entries.Follows(header.FirstIndex, header.PreviousTerm, out ulong other))
        {
            return new(
                name,
                $"offset 36: it was begun behind an entry {header.FirstIndex - 1} of term {header.PreviousTerm}, but here that entry has "
                + $"term {other}: a segment between them is missing");
        }

        using SegmentCipher? cipher = header.Key == 0 || asWritten ? null : keys?.Of(header);
        if (header.Key != 0 && !asWritten && cipher is null)
        {
            return last <= Covered ? null : new(name, NoKey(header.Key));
        }

        bool relevant = false;
        int at = 0;
        for (int slot = 0; slot < scan.Entries.Count && scan.Entries[slot].Index <= last; slot++)
        {
            bool damaged = at < scan.Damaged.Count && scan.Damaged[at] == slot;
            at += damaged ? 1 : 0;
            LogEntry entry = scan.Entries[slot];
            if (cipher is not null && !damaged && entry.Index >= entries.Next && !cipher.TryOpen(scan.Entries[slot], scan.Offsets[slot], out entry))
            {
                fault ??= new(name, $"offset {scan.Offsets[slot]}: entry {scan.Entries[slot].Index} does not open with its data key");
                entries.Add(scan.Entries[slot] with { Data = default }, whole: false);
                continue;
            }

            relevant |= entries.Add(entry, !damaged) && damaged;
        }

        if (relevant)
        {
            fault ??= new(name, scan.Fault);
        }
        else if (scan.Verdict == ScanVerdict.Corrupt && (scan.Damaged.Count > 0 || last <= Covered))
        {
            Spare(name, scan.Fault);
        }
        else if (scan.Verdict == ScanVerdict.Corrupt)
        {
            return new(name, scan.Fault);
        }

        return null;
    }

    private LogFault? Close(SegmentScan scan, string name, ulong last, bool follows)
    {
        recovery.ToSeal = !follows || scan.IsSealed || scan.Verdict != ScanVerdict.Whole ? null : (name, scan.Header.Salt, scan.LastIndex);
        if (scan.LastIndex >= last || last < scan.Header.FirstIndex)
        {
            return null;
        }

        string missing = scan.Verdict == ScanVerdict.Torn
            ? $"offset {scan.End}: entry {scan.LastIndex + 1} does not validate, though another segment follows"
            : $"offset {scan.End}: it ends with entry {scan.LastIndex}, but the next segment begins with entry {last + 1}";
        if (last > Covered)
        {
            return MissUpTo(last, new(name, missing));
        }

        if (recovery.Snapshot is { FollowedBy: 0 })
        {
            Spare(name, missing);
        }

        return null;
    }

    private LogFault? End(SegmentScan scan, string name)
    {
        if (scan.IsSealed)
        {
            return new(name, $"it was closed with entry {scan.LastIndex}, but the segment that follows is missing");
        }

        recovery.LastSegment = name;
        recovery.LastScan = scan;
        if (scan.Verdict == ScanVerdict.Torn)
        {
            notes.Add($"Segment {name}: {scan.Fault}; nothing of it was acknowledged, and it was cut off.");
        }

        return null;
    }

    private LogFault? CheckEnd()
    {
        ulong newest = Math.Max(Covered, damagedSnapshots.Count > 0 ? damagedSnapshots.Max() : 0);
        ulong written = entries.WrittenTo;
        if (written >= newest || (newest == Covered && recovery.Snapshot is { FollowedBy: > 0 }))
        {
            return null;
        }

        // A snapshot of this log is taken of what is durable, so the log went at least as far.
        LogFault shorter = new("", $"the log ends with entry {written}, though there is a snapshot of entry {newest}");
        return newest == Covered ? shorter : MissUpTo(newest, shorter);
    }

    private LogFault MissingStart(ulong first)
    {
        ulong end = first - 1;
        return entries.Next > Covered + 1
            ? new("", $"entries {entries.Next} to {end} are missing")
            : damagedSnapshots.Count > 0
                ? new(LogNames.Snapshot(damagedSnapshots.Max()), $"it does not validate, and entries {Covered + 1} to {end} are nowhere else")
                : new("", $"entries {Covered + 1} to {end} are missing");
    }

    /// <summary>These entries were durable, and nothing is known of them.</summary>
    private LogFault? MissUpTo(ulong last, LogFault why)
    {
        if (last - Math.Min(last, entries.Next) > LongestGap)
        {
            return why;
        }

        if (damagedSnapshots.Any(index => index >= entries.Next && entries.Next > Covered + 1) || !segments.Any(static s => s.Last >= s.First))
        {
            recovery.SnapshotNeeded = last;
        }

        entries.MissUpTo(last);
        fault ??= why;
        return null;
    }

    private void Spare(string name, string what) => notes.Add(
        recovery.Snapshot is null
            ? $"Segment {name} is damaged ({what}); later segments have what was written in its place."
            : $"Segment {name} is damaged ({what}); the snapshot of entry {Covered} has all of it.");
}
