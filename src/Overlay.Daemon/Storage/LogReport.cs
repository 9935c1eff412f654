using System.Globalization;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>What an operator is shown of a log's folder: each file, each entry, and what is the matter.</summary>
internal static class LogReport
{
    public static readonly IReadOnlyList<string> FileKeys = ["file", "kind", "entries", "terms", "state"];
    public static readonly IReadOnlyList<string> EntryKeys = ["index", "term", "kind", "bytes", "segment", "state"];

    /// <summary>A row for each file of the log, in the order of their names.</summary>
    public static IReadOnlyList<string[]> Files(ILogFolder folder)
    {
        List<string[]> rows = [];
        foreach (string name in folder.Names().Order(StringComparer.Ordinal))
        {
            if (LogNames.TryReadSegment(name, out _, out _))
            {
                rows.Add(Segment(name, folder.Read(name, SegmentFormat.MaxFileBytes)));
            }
            else if (LogNames.TryReadSnapshot(name, out ulong index))
            {
                rows.Add(Snapshot(name, index, folder.Read(name, SnapshotFormat.MaxFileBytes)));
            }
            else if (StateFiles.FileNames.Contains(name))
            {
                rows.Add(State(name, folder.Read(name, StateFormat.FileBytes)));
            }
            else if (DataKeyFile.FileNames.Contains(name))
            {
                rows.Add([name, "keys", "", "", KeyFileFormat.IsLocked(folder.Read(name, 4096).Bytes.Span) ? "locked" : "open"]);
            }
            else if (name != FolderLock.FileName)
            {
                rows.Add([name, "other", "", "", name switch
                {
                    _ when name.EndsWith(LogNames.UnfinishedSuffix, StringComparison.Ordinal) => "unfinished",
                    _ when name.EndsWith(LogNames.DamagedSuffix, StringComparison.Ordinal) => "was damaged, and is kept for who looks for the cause",
                    _ => "not of the log",
                }]);
            }
        }

        return rows;
    }

    /// <summary>A row for each entry that counts, behind the newest snapshot that validates.</summary>
    public static IReadOnlyList<string[]> Entries(LogRecovery found)
    {
        List<string[]> rows = [];
        foreach (LogEntry entry in found.Entries)
        {
            rows.Add(
            [
                Text(entry.Index), Text(entry.Term), entry.Kind.ToString().ToLowerInvariant(), Text((ulong)entry.Data.Length),
                SegmentOf(found, entry.Index), "whole",
            ]);
        }

        foreach (DamagedRange range in found.Damaged)
        {
            for (ulong index = range.First; index <= range.Last; index++)
            {
                rows.Add([Text(index), range.Term > 0 ? Text(range.Term) : "", "", "", SegmentOf(found, index), "damaged"]);
            }
        }

        rows.Sort(static (a, b) => ulong.Parse(a[0], CultureInfo.InvariantCulture).CompareTo(ulong.Parse(b[0], CultureInfo.InvariantCulture)));
        return rows;
    }

    /// <summary>What of a damaged log would be lost if it went on without the other managers, as a sentence.</summary>
    public static string Loss(LogRecovery found) => found.Damaged.Count == 0
        ? "It is not known which entries there were."
        : $"Of the entries behind {Text(found.Snapshot?.Index ?? 0)}, {string.Join(", ", found.Damaged.Select(static d => Range(d.First, d.Last)))} "
            + $"would be lost, and {Range(found.Damaged[0].First, found.LastIndex)} with them.";

    public static string Range(ulong first, ulong last) => first == last ? Text(first) : $"{Text(first)}-{Text(last)}";

    private static string[] Segment(string name, FileContent content)
    {
        if (content.Unreadable.Length > 0)
        {
            return [name, "segment", "", "", content.Unreadable];
        }

        SegmentScan scan = SegmentScan.Of(content.Bytes);
        ulong[] terms = [.. scan.Entries.Select(static e => e.Term).Where(static t => t > 0)];
        string state = scan.Verdict switch
        {
            ScanVerdict.Corrupt => $"damaged ({scan.Fault})",
            ScanVerdict.Torn => $"torn ({scan.Fault})",
            _ when scan.IsHeaderDamaged => "whole, but for a copy of its header",
            _ => "whole",
        };
        return
        [
            name, "segment", scan.Entries.Count > 0 ? Range(scan.Header.FirstIndex, scan.LastIndex) : "",
            terms.Length > 0 ? Range(terms.Min(), terms.Max()) : "", state,
        ];
    }

    private static string[] Snapshot(string name, ulong index, FileContent content) =>
        content.Unreadable.Length > 0 ? [name, "snapshot", "", "", content.Unreadable]
        : SnapshotFormat.TryRead(content.Bytes, index, out LogSnapshot? snapshot) ? [name, "snapshot", $"up to {Text(index)}", Text(snapshot!.Term), "whole"]
        : [name, "snapshot", $"up to {Text(index)}", "", "damaged"];

    private static string[] State(string name, FileContent content) =>
        StateFormat.TryRead(content.Bytes.Span, null, out MemberState? state)
            ? [
                name, "state", "", state!.IsClosed ? "" : Text(state.Hard.Term),
                $"member {state.Identity.Member}, {(state.IsClosed ? "encrypted" : $"vote {state.Hard.Vote}")}",
            ]
            : [name, "state", "", "", "damaged"];

    private static string SegmentOf(LogRecovery found, ulong index) =>
        found.Segments.LastOrDefault(s => s.First <= index && index <= s.Last)?.Name ?? "";

    private static string Text(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
