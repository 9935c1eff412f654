using Overlay.Raft.Secrecy;

namespace Overlay.Raft.Repair;

/// <summary>A segment that must be made anew so that what was got back is in it.</summary>
/// <param name="Name">One that is there is replaced as a whole.</param>
/// <param name="Header">As it was, but for the salt.</param>
/// <param name="Entries">All that count; of one that is still damaged index and term.</param>
/// <param name="IsWhole">For each of them.</param>
public sealed record SegmentPlan(
    string Name, SegmentFormat.Header Header, IReadOnlyList<LogEntry> Entries, IReadOnlyList<bool> IsWhole, bool IsClosed)
{
    /// <summary>
    /// The segments that have to be written, each on its own: nothing that is whole now is lost if only some of them are.
    /// </summary>
    /// <param name="found">With its damage.</param>
    /// <param name="right">Of the damaged entries those that are known.</param>
    /// <param name="member">Whose log it is.</param>
    /// <param name="keys">Null: in the clear.</param>
    public static IReadOnlyList<SegmentPlan> For(LogRecovery found, IEnumerable<LogEntry> right, MemberId member, LogKeys? keys = null)
    {
        SortedDictionary<ulong, LogEntry> known = [];
        foreach (LogEntry entry in right)
        {
            known[entry.Index] = entry;
        }

        List<SegmentPlan> plans = [];
        List<SegmentFinding> counting = [.. found.Segments.Where(static s => s.Last >= s.First)];
        if (MissingStart(found, counting, known) is { } start)
        {
            plans.Add(Plan(start, true, found, known, member, keys));
        }

        foreach (SegmentFinding finding in counting)
        {
            ulong last = Math.Min(finding.Last, found.LastIndex);
            if (last - finding.First < SegmentFormat.MaxEntries && known.Keys.Any(index => index >= finding.First && index <= last))
            {
                plans.Add(Plan(finding with { Last = last }, finding.Last < ulong.MaxValue, found, known, member, keys));
            }
        }

        return plans;
    }

    /// <summary>Entries before the first segment that is there: of segments that are gone, under the number before.</summary>
    private static SegmentFinding? MissingStart(
        LogRecovery found, List<SegmentFinding> counting, SortedDictionary<ulong, LogEntry> known)
    {
        ulong behind = found.Snapshot?.Index ?? 0;
        return counting is [{ Id: > 1 } first, ..] && first.First > behind + 1 && known.ContainsKey(behind + 1)
            && first.First - behind - 1 <= SegmentFormat.MaxEntries
                ? new(LogNames.Segment(first.Id - 1, behind + 1), first.Id - 1, behind + 1, first.First - 1, null)
                : null;
    }

    private static SegmentPlan Plan(
        SegmentFinding finding, bool isClosed, LogRecovery found, SortedDictionary<ulong, LogEntry> known, MemberId member, LogKeys? keys)
    {
        using SegmentCipher? cipher = finding.Scan is { Header.Key: > 0 } encrypted ? keys?.Of(encrypted.Header) : null;
        SortedDictionary<ulong, LogEntry> whole = [];
        for (int slot = 0; finding.Scan is { } scan && slot < scan.Entries.Count; slot++)
        {
            LogEntry entry = scan.Entries[slot];
            if (!scan.Damaged.Contains(slot) && (cipher is null || cipher.TryOpen(scan.Entries[slot], scan.Offsets[slot], out entry)))
            {
                whole[entry.Index] = entry;
            }
        }

        List<LogEntry> entries = [];
        List<bool> isWhole = [];
        for (ulong index = finding.First; index <= finding.Last; index++)
        {
            bool there = known.TryGetValue(index, out LogEntry right) || whole.TryGetValue(index, out right);
            entries.Add(there ? right : new(index, found.Terms.TermOf(index), EntryKind.Blank, default));
            isWhole.Add(there);
        }

        SegmentFormat.Header header = finding.Scan?.Header ?? new(finding.Id, finding.First, 0, found.Terms.TermOf(finding.First - 1));
        return new(finding.Name, header with { Member = member, IsSingle = false }, entries, isWhole, isClosed);
    }
}
