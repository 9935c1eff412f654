using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>
/// What the files of a log hold, and what must be done to them before the log is written again. It decides by these
/// rules: the state is the newest snapshot that validates and every entry behind it. Whatever is needed for that and
/// is damaged, missing or contradicts the rest is a <see cref="Fault"/>: the log is not opened. Damage that the newest
/// snapshot makes up for is told in <see cref="Notes"/>. Only a write that never finished is cut off.
/// </summary>
public sealed class LogRecovery
{
    private readonly List<string> notes = [];
    private readonly List<LogEntry> entries = [];
    private readonly List<SegmentExtent> closed = [];
    private readonly List<ulong> valid = [];
    private readonly List<ulong> damaged = [];

    private LogRecovery()
    {
    }

    /// <summary>Null: the log is sound.</summary>
    public LogFault? Fault { get; private set; }

    /// <summary>The newest that validates; null: the log is whole from entry 1.</summary>
    public LogSnapshot? Snapshot { get; private set; }

    /// <summary>Behind the snapshot, without gaps.</summary>
    public IReadOnlyList<LogEntry> Entries => entries;

    /// <summary>0: nothing was ever written.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>For the operator, a sentence each: what was cut off, and what is damaged and not needed.</summary>
    public IReadOnlyList<string> Notes => notes;

    /// <summary>Indexes of the snapshots that validate, newest first.</summary>
    public IReadOnlyList<ulong> ValidSnapshots => valid;

    /// <summary>Segments with a successor, oldest first.</summary>
    public IReadOnlyList<SegmentExtent> Closed => closed;

    /// <summary>The segment that is written on; null: there is none.</summary>
    public string? LastSegment { get; private set; }

    /// <summary>What is in it.</summary>
    public SegmentScan? LastScan { get; private set; }

    /// <summary>The segment before it, if its seal is not there yet.</summary>
    public (string Name, ulong Salt, ulong Last)? ToSeal { get; private set; }

    /// <summary>Names that a deletion which did not finish has left.</summary>
    public IReadOnlyList<string> Obsolete { get; private set; } = [];

    /// <param name="names">Every name in the folder.</param>
    /// <param name="read">Gives a file's bytes; called once for each file that matters.</param>
    public static LogRecovery From(IEnumerable<string> names, Func<string, FileContent> read)
    {
        LogRecovery recovery = new();
        string[] all = [.. names.Order(StringComparer.Ordinal)];
        recovery.Fault = recovery.Read(all, read);
        if (recovery.Fault is null)
        {
            IEnumerable<ulong> present = recovery.valid.Concat(recovery.damaged);
            recovery.Obsolete = LogRetention.Obsolete(recovery.valid, present, recovery.closed);
        }

        return recovery;
    }

    private LogFault? Read(string[] names, Func<string, FileContent> read)
    {
        List<(ulong Id, ulong First, string Name)> segments = [];
        List<ulong> snapshots = [];
        foreach (string name in names)
        {
            if (LogNames.TryReadSegment(name, out ulong id, out ulong first))
            {
                segments.Add((id, first, name));
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
            ReadSnapshot(index, read);
        }

        segments.Sort();
        for (int i = 0; i < segments.Count; i++)
        {
            ulong? successor = i + 1 < segments.Count ? segments[i + 1].First : null;
            if (valid.Count >= LogRetention.SnapshotsKept && successor is { } next && next - 1 <= valid[LogRetention.SnapshotsKept - 1])
            {
                // The rest of a deletion that did not finish: others of it may be gone already.
                closed.Add(new(segments[i].Name, segments[i].First, next - 1));
            }
            else if (ReadSegment(segments[i], successor, read(segments[i].Name)) is { } fault)
            {
                return fault;
            }
        }

        return CheckEnds(segments.Count == 0 ? 0 : segments[0].First);
    }

    private void ReadSnapshot(ulong index, Func<string, FileContent> read)
    {
        string name = LogNames.Snapshot(index);
        FileContent content = read(name);
        if (content.Unreadable.Length == 0 && SnapshotFormat.TryRead(content.Bytes, index, out LogSnapshot? snapshot))
        {
            Snapshot ??= snapshot;
            valid.Add(index);
            return;
        }

        damaged.Add(index);
        string reason = content.Unreadable.Length > 0 ? $"cannot be read ({content.Unreadable})" : "does not validate";
        notes.Add($"Snapshot {name} {reason}; the state is taken from what was before it.");
    }

    /// <param name="successor">The first entry of the next segment; null: this is the last.</param>
    private LogFault? ReadSegment((ulong Id, ulong First, string Name) segment, ulong? successor, FileContent content)
    {
        ulong covered = Snapshot?.Index ?? 0;
        if (successor < segment.First)
        {
            return new(segment.Name, $"it begins with entry {segment.First}, but the next segment with entry {successor}");
        }

        SegmentScan? scan = content.Unreadable.Length > 0 ? null : SegmentScan.Of(content.Bytes);
        string fault = scan is null ? $"it cannot be read: {content.Unreadable}" : FaultOf(scan, segment.Id, segment.First, successor);
        if (successor is { } next)
        {
            closed.Add(new(segment.Name, segment.First, next - 1));
            if (fault.Length > 0 && next <= covered + 1)
            {
                notes.Add($"Segment {segment.Name} is damaged ({fault}); the snapshot of entry {covered} has all of it.");
                return null;
            }
        }

        if (fault.Length > 0)
        {
            return new(segment.Name, fault);
        }

        Invariant.Holds(scan is not null, "a segment without fault was read");
        entries.AddRange(scan.Entries.Where(entry => entry.Index > covered));
        LastIndex = scan.LastIndex;
        if (successor is null)
        {
            LastSegment = segment.Name;
            LastScan = scan;
            if (scan.Verdict == ScanVerdict.Torn)
            {
                notes.Add($"Segment {segment.Name}: {scan.Fault}; nothing of it was acknowledged, and it was cut off.");
            }
        }
        else
        {
            ToSeal = scan.IsSealed ? null : (segment.Name, scan.Header.Salt, scan.LastIndex);
        }

        return null;
    }

    private static string FaultOf(SegmentScan scan, ulong id, ulong first, ulong? successor)
    {
        if (scan.Verdict == ScanVerdict.Corrupt)
        {
            return scan.Fault;
        }

        if (scan.Header.Id != id || scan.Header.FirstIndex != first)
        {
            return $"offset 12: inside it is segment {scan.Header.Id} from entry {scan.Header.FirstIndex}";
        }

        if (successor is not { } next)
        {
            return scan.IsSealed ? $"it was closed with entry {scan.LastIndex}, but the segment that follows is missing" : "";
        }

        if (scan.Verdict == ScanVerdict.Torn)
        {
            return $"offset {scan.End}: entry {scan.LastIndex + 1} does not validate, though another segment follows";
        }

        return scan.LastIndex + 1 == next
            ? ""
            : $"offset {scan.End}: it ends with entry {scan.LastIndex}, but the next segment begins with entry {next}";
    }

    private LogFault? CheckEnds(ulong firstIndex)
    {
        ulong covered = Snapshot?.Index ?? 0;
        ulong newest = Math.Max(covered, damaged.Count > 0 ? damaged.Max() : 0);
        if (firstIndex > covered + 1)
        {
            return damaged.Count > 0
                ? new(LogNames.Snapshot(damaged.Max()), $"it does not validate, and entries {covered + 1} to {firstIndex - 1} are nowhere else")
                : new("", $"entries {covered + 1} to {firstIndex - 1} are missing");
        }

        // A snapshot is taken of what is durable, so the log went at least as far.
        return LastIndex < newest
            ? new("", $"the log ends with entry {LastIndex}, though there is a snapshot of entry {newest}")
            : null;
    }
}
