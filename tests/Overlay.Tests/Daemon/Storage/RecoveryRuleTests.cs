using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>Which files are kept, which are missed, and what the operator is told.</summary>
public sealed class RecoveryRuleTests
{
    private static SortedDictionary<string, ReadOnlyMemory<byte>> Files(LogLimits limits, params int[] steps)
    {
        ModelFolder folder = new();
        using (LogStore log = LogStore.Open(folder, limits, out _))
        {
            Run(log, folder, steps);
        }

        return folder.Image();
    }

    private static void Run(LogStore log, ModelFolder folder, params int[] steps)
    {
        foreach (int count in steps)
        {
            if (count == 0)
            {
                LogRig.TakeSnapshot(log);
            }
            else
            {
                LogRig.Append(log, folder, count);
            }
        }
    }

    private static void Damage(SortedDictionary<string, ReadOnlyMemory<byte>> files, string name)
    {
        byte[] bytes = files[name].ToArray();
        bytes[bytes.Length / 2] ^= 1;
        files[name] = bytes;
    }

    private static string Refused(SortedDictionary<string, ReadOnlyMemory<byte>> files) =>
        Assert.Throws<StorageCorruptException>(() => LogRig.Open(new ModelFolder(files), out _)).Message;

    [Fact]
    public void Two_snapshots_are_kept_and_the_log_behind_the_older()
    {
        ModelFolder folder = new(Files(LogRig.Small, 6, 0, 6, 0, 6, 0, 6, 1));
        string[] names = [.. folder.Names()];
        Assert.Equal([LogNames.Snapshot(12), LogNames.Snapshot(18)], names.Where(static n => n.EndsWith(".snapshot", StringComparison.Ordinal)));
        Assert.Equal(
            [LogNames.Segment(3, 13), LogNames.Segment(4, 19), LogNames.Segment(5, 25)],
            names.Where(static n => n.EndsWith(".segment", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_damaged_snapshot_does_not_count_among_the_two()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 0, 6, 0, 6);
        Damage(files, LogNames.Snapshot(12));
        ModelFolder folder = new(files);
        using (LogStore log = LogRig.Open(folder, out LogRecovery found))
        {
            Assert.Equal(6ul, found.Snapshot!.Index);
            Assert.Contains(LogNames.Snapshot(12), Assert.Single(found.Notes), StringComparison.Ordinal);
            Assert.Contains(LogNames.Snapshot(6), folder.Names());
            Run(log, folder, 0);
        }

        // Now 18 and 6 are those that validate, and all behind 6 is needed still.
        Assert.Contains(LogNames.Snapshot(6), folder.Names());
        Assert.DoesNotContain(LogNames.Snapshot(12), folder.Names());
        SortedDictionary<string, ReadOnlyMemory<byte>> after = folder.Image();
        Damage(after, LogNames.Snapshot(18));
        LogRig.Open(new ModelFolder(after), out LogRecovery again).Dispose();
        LogRig.Check(again, 18, 18, "with the oldest alone");
    }

    [Fact]
    public void A_log_that_is_whole_from_its_first_entry_needs_no_snapshot()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 0, 6);
        Damage(files, LogNames.Snapshot(6));
        LogRig.Open(new ModelFolder(files), out LogRecovery found).Dispose();
        LogRig.Check(found, 12, 12, "without snapshot");
        Assert.Null(found.Snapshot);
        Assert.Single(found.Notes);
    }

    [Fact]
    public void Every_snapshot_damaged_is_refused_if_the_log_has_lost_its_beginning()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 0, 6, 0, 6, 0, 6, 1);
        Damage(files, LogNames.Snapshot(12));
        Damage(files, LogNames.Snapshot(18));
        Assert.Contains($"{LogNames.Snapshot(18)} is damaged (it does not validate, and entries 1 to 12", Refused(files), StringComparison.Ordinal);
    }

    [Fact]
    public void Entries_that_are_missing_before_an_empty_last_segment_are_noticed()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 6, 1);
        byte[] empty = files[LogNames.Segment(3, 13)].ToArray();
        empty.AsSpan(SegmentFormat.IdentifiersOffset).Clear();
        files[LogNames.Segment(3, 13)] = empty;
        LogRig.Open(new ModelFolder(files), out LogRecovery found).Dispose();
        LogRig.Check(found, 12, 12, "with an empty last segment");

        files.Remove(LogNames.Segment(2, 7));
        Assert.Contains("it ends with entry 6, but the next segment begins with entry 13", Refused(files), StringComparison.Ordinal);
        files.Remove(LogNames.Segment(1, 1));
        Assert.Contains("entries 1 to 12 are missing", Refused(files), StringComparison.Ordinal);
    }

    [Fact]
    public void A_log_that_ends_before_its_snapshot_is_refused()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 6, 1, 0);
        files.Remove(LogNames.Segment(3, 13));
        Assert.Contains("the segment that follows is missing", Refused(files), StringComparison.Ordinal);

        SortedDictionary<string, ReadOnlyMemory<byte>> shorter = Files(LogRig.Small, 6, 5);
        shorter[LogNames.Snapshot(13)] = files[LogNames.Snapshot(13)];
        Assert.Contains("the log ends with entry 11, though there is a snapshot of entry 13", Refused(shorter), StringComparison.Ordinal);
        Damage(shorter, LogNames.Snapshot(13));
        Assert.Contains("the log ends with entry 11, though there is a snapshot of entry 13", Refused(shorter), StringComparison.Ordinal);

        SortedDictionary<string, ReadOnlyMemory<byte>> alone = new(StringComparer.Ordinal) { [LogNames.Snapshot(13)] = files[LogNames.Snapshot(13)] };
        Assert.Contains("the log ends with entry 0", Refused(alone), StringComparison.Ordinal);
    }

    [Fact]
    public void A_deletion_that_did_not_finish_is_finished()
    {
        // Of segments that both snapshots cover, a power failure may have left any.
        SortedDictionary<string, ReadOnlyMemory<byte>> all = Files(LogRig.Small, 6, 6, 6, 6, 2);
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 6, 6, 0, 6, 0, 2);
        Assert.DoesNotContain(LogNames.Segment(2, 7), files.Keys);
        files[LogNames.Segment(2, 7)] = all[LogNames.Segment(2, 7)];
        files[LogNames.Segment(1, 1) + LogNames.UnfinishedSuffix] = new byte[3];
        ModelFolder folder = new(files);
        LogRig.Open(folder, out LogRecovery found).Dispose();
        LogRig.Check(found, 26, 26, "with a segment left over");
        Assert.Empty(found.Notes);
        Assert.Equal(
            [LogNames.Snapshot(18), LogNames.Snapshot(24), LogNames.Segment(4, 19), LogNames.Segment(5, 25)],
            folder.Names());
    }

    [Fact]
    public void Several_findings_are_all_told()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 0, 6, 0, 3);
        Damage(files, LogNames.Snapshot(12));
        string last = LogNames.Segment(3, 13);
        files[last] = (byte[])[.. files[last].Span, 1, 2, 3];
        LogRig.Open(new ModelFolder(files), out LogRecovery found).Dispose();
        Assert.Equal(2, found.Notes.Count);
        Assert.Contains(found.Notes, static n => n.Contains(LogNames.Snapshot(12), StringComparison.Ordinal));
        Assert.Contains(found.Notes, n => n.Contains(last, StringComparison.Ordinal) && n.Contains("offset 104", StringComparison.Ordinal));
    }

    [Fact]
    public void A_file_under_another_name_is_not_taken_for_that_one()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(LogRig.Small, 6, 3);
        files[LogNames.Segment(2, 7)] = files[LogNames.Segment(1, 1)];
        Assert.Contains("inside it is segment 1 from entry 1", Refused(files), StringComparison.Ordinal);

        SortedDictionary<string, ReadOnlyMemory<byte>> renamed = Files(LogRig.Small, 6, 0, 3);
        renamed[LogNames.Snapshot(8)] = renamed[LogNames.Snapshot(6)];
        LogRig.Open(new ModelFolder(renamed), out LogRecovery found).Dispose();
        Assert.Equal(6ul, found.Snapshot!.Index);
        Assert.Single(found.Notes);

        renamed["1.segment"] = new byte[1];
        Assert.Contains("no file of the log has such a name", Refused(renamed), StringComparison.Ordinal);
    }

    [Fact]
    public void A_failed_write_names_the_file_and_makes_the_log_unusable()
    {
        ModelFolder folder = new();
        using LogStore log = LogRig.Open(folder, out _);
        folder.Journal.Clear();
        folder.Before = static _ => throw new IOException("No space left on device : '/model/log/x'");
        StorageWriteException failed = Assert.Throws<StorageWriteException>(() => log.Append([LogRig.Entry(1)]));
        Assert.Equal(
            "/model/log/0000000001-00000000000000000001.segment could not be written (No space left on device): "
                + "make room or repair the disk, then type `systemctl restart overlayd`",
            failed.Message);
        folder.Before = null;
        Assert.Throws<Overlay.Primitives.InvariantException>(() => log.Append([LogRig.Entry(1)]));
        Assert.Empty(folder.Journal);
    }

    [Fact]
    public void A_large_batch_is_split_and_a_large_entry_fills_a_segment()
    {
        LogLimits limits = new() { SegmentEntries = 100, BatchBytes = 1 << 20 };
        ModelFolder folder = new();
        LogEntry[] entries = [.. Enumerable.Range(1, 40).Select(static i => new LogEntry((ulong)i, 1, new byte[i == 20 ? 17 << 20 : 300_000]))];
        using (LogStore log = LogStore.Open(folder, limits, out _))
        {
            log.Append(entries);
            Assert.Equal(40ul, log.LastIndex);
        }

        int longest = folder.Journal.OfType<DiskOperation.Write>().Where(static w => w.Bytes.Length < 16 << 20).Max(static w => w.Bytes.Length);
        Assert.InRange(longest, 300_000, 1 << 20);
        Assert.Equal(2, folder.Names().Count);
        LogStore.Open(new ModelFolder(folder.Image()), limits, out LogRecovery found).Dispose();
        Assert.Equal(entries.Select(static e => e.Data.Length), found.Entries.Select(static e => e.Data.Length));
    }

    [Fact]
    public void Room_is_kept_for_recovery()
    {
        ModelFolder folder = new() { FreeBytes = 20 << 20 };
        using LogStore log = LogStore.Open(folder, new(), out _);
        Assert.Null(log.Shortage());
        Assert.Equal("The disk of /model/log has 20 MiB left, and the manager's log needs 21 MiB.", log.Shortage(5 << 20));
        folder.FreeBytes = (16 << 20) - 1;
        Assert.Equal("The disk of /model/log has 15 MiB left, and the manager's log needs 16 MiB.", log.Shortage());
    }
}
