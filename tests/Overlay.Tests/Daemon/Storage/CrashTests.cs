using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>Everything stops at every byte of a write sequence; the log is opened again and goes on.</summary>
public sealed class CrashTests
{
    private int places;
    private int torn;
    private int unacknowledgedKept;

    [Fact]
    public void A_kill_at_any_byte_loses_nothing_acknowledged_and_invents_nothing()
    {
        ModelFolder folder = Workload();
        CrashModel disk = new([], new(1));
        (ulong acknowledged, ulong begun) = (0, 0);
        foreach (DiskOperation operation in folder.Journal)
        {
            (acknowledged, begun) = Marks(operation, acknowledged, begun);
            if (operation is DiskOperation.Write write)
            {
                // The zeroes of a new segment are all alike, and no name leads to them yet.
                int step = write.Bytes.Length > 4096 ? 32_000 : 1;
                for (int done = 1; done < write.Bytes.Length; done += step)
                {
                    Reopen(disk.AfterKill(write, done), acknowledged, begun, $"{done} bytes of {write}");
                }
            }

            disk.Apply(operation);
            Reopen(disk.AfterKill(null, 0), acknowledged, begun, $"after {operation}");
        }

        Assert.True(places > 1_000 && torn > 100 && unacknowledgedKept > 10, $"{places} places, {torn} torn, {unacknowledgedKept} kept");
    }

    [Fact]
    public void A_power_failure_at_any_operation_loses_nothing_acknowledged_and_invents_nothing()
    {
        ModelFolder folder = Workload();
        Prng prng = new(2);
        CrashModel disk = new([], prng);
        (ulong acknowledged, ulong begun) = (0, 0);
        foreach (DiskOperation operation in folder.Journal)
        {
            (acknowledged, begun) = Marks(operation, acknowledged, begun);
            disk.Apply(operation);
            for (int i = 0; i < 5; i++)
            {
                Reopen(disk.AfterPowerFailure(), acknowledged, begun, $"power failure {i} after {operation}");
            }
        }

        Assert.True(places > 500 && torn > 5, $"{places} places, {torn} torn");
    }

    [Fact]
    public void A_sync_that_failed_is_not_trusted_after_a_restart()
    {
        // The kernel has dropped the dirty pages' error: the bytes can be read, and are on no disk.
        ModelFolder folder = new();
        using (LogStore log = LogRig.Open(folder, out _))
        {
            LogRig.Append(log, folder, 2);
            folder.Before = static operation =>
            {
                if (operation is DiskOperation.SyncFile)
                {
                    throw new IOException("Input/output error");
                }
            };
            Assert.Throws<StorageWriteException>(() => log.Append([LogRig.Entry(3)]));
        }

        ModelFolder again = new(folder.Image());
        using LogStore reopened = LogRig.Open(again, out LogRecovery found);
        Assert.Equal(3ul, found.LastIndex);
        int written = again.Journal.FindIndex(static o => o is DiskOperation.Write w && w.Offset > SegmentFormat.EntriesOffset);
        int synced = again.Journal.FindIndex(written + 1, static o => o is DiskOperation.SyncFile);
        int identified = again.Journal.FindIndex(
            synced + 1, static o => o is DiskOperation.Write { Offset: SegmentFormat.IdentifiersOffset + (2 * SegmentFormat.IdentifierBytes) });
        Assert.True(written >= 0 && synced > written && identified > synced, $"written {written}, synced {synced}, identified {identified}");
    }

    private static (ulong Acknowledged, ulong Begun) Marks(DiskOperation operation, ulong acknowledged, ulong begun) => operation switch
    {
        DiskOperation.Mark { Text: "begin" } mark => (acknowledged, mark.Index),
        DiskOperation.Mark mark => (mark.Index, begun),
        _ => (acknowledged, begun),
    };

    /// <summary>Appends of one and of several entries, roll-overs, snapshots and the deletions that follow them.</summary>
    private static ModelFolder Workload()
    {
        ModelFolder folder = new();
        using LogStore log = LogRig.Open(folder, out _);
        foreach (int count in (int[])[1, 1, 4, 2, 0, 3, 1, 0, 5, 0, 2])
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

        Assert.Contains(folder.Journal, static o => o is DiskOperation.Delete { Name: var name } && name.EndsWith(".segment", StringComparison.Ordinal));
        return folder;
    }

    private void Reopen(SortedDictionary<string, ReadOnlyMemory<byte>> image, ulong acknowledged, ulong begun, string where)
    {
        places++;
        ModelFolder folder = new(image);
        LogRecovery found;
        using (LogStore log = LogRig.Open(folder, out found))
        {
            LogRig.Check(found, acknowledged, begun, where);
            torn += found.LastScan?.Verdict == ScanVerdict.Torn ? 1 : 0;
            unacknowledgedKept += found.LastIndex > acknowledged ? 1 : 0;
            Assert.Equal(found.LastScan?.Verdict == ScanVerdict.Torn, found.Notes.Count > 0);
            if (places % 6 == 0)
            {
                LogRig.Append(log, folder, 2);
            }
        }

        if (places % 3 != 0 && found.Notes.Count == 0)
        {
            folder.Release();
            return;
        }

        // What one start has shown must be there at the next: it may have been acted on.
        LogRig.Open(new ModelFolder(folder.Image()), out LogRecovery second).Dispose();
        ulong last = found.LastIndex + (places % 6 == 0 ? 2ul : 0);
        LogRig.Check(second, last, last, $"{where}, second start");
        Assert.Empty(second.Notes);
        Assert.Empty(second.LastScan?.Unidentified ?? []);
        Assert.DoesNotContain(folder.Names(), static name => name.EndsWith(".tmp", StringComparison.Ordinal));
        folder.Release();
    }
}
