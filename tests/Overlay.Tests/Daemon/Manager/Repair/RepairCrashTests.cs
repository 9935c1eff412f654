using System.Text;
using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Daemon.Manager.Repair;

/// <summary>
/// Everything stops at every operation of a repair: before it, in the middle of it, or after; killed or without power. It
/// always starts again, holds all that was whole, and is mended by what the others have.
/// </summary>
public sealed class RepairCrashTests
{
    /// <summary>What the second manager says: it leads, and has everything up to an entry, or only a snapshot.</summary>
    private sealed record Other(ulong Last, ulong SnapshotOnly = 0, ulong Term = 3)
    {
        public RepairSource Source()
        {
            TermHistory terms = new();
            terms.Restart(new(SnapshotOnly, SnapshotOnly > 0 ? 2ul : 0));
            RepairSource source = new(new(SnapshotOnly, SnapshotOnly > 0 ? 2ul : 0), terms);
            for (ulong index = SnapshotOnly + 1; index <= Last; index++)
            {
                terms.Add(index, 2);
                source.Add(DamagedFolder.Entry(index));
            }

            return source;
        }
    }

    [Fact]
    public void Entries_that_come_back() => Run(new(10), DamagedFolder.TextsTo(10), 4, 5, 9);

    [Fact]
    public void The_first_and_the_last() => Run(new(10), DamagedFolder.TextsTo(10), 3, 10);

    [Fact]
    public void What_a_leader_never_had_is_cut_off() => Run(new(7), DamagedFolder.TextsTo(7), 4, 8);

    [Fact]
    public void A_snapshot_in_place_of_entries() => Run(new(9, SnapshotOnly: 6), [], 4, 5);

    [Fact]
    public void Of_what_was_damaged_only_so_many_files_are_kept()
    {
        ModelFolder folder = new(DamagedFolder.Damaged(3, 4, 6, 8, 10));
        for (int i = 0; i < 6; i++)
        {
            folder.Create($"000000000{i}-00000000000000000001.segment.damaged").Dispose();
        }

        Mend(folder, new(10));
        string[] kept = [.. folder.Names().Where(static name => name.EndsWith(LogNames.DamagedSuffix, StringComparison.Ordinal))];
        Assert.InRange(kept.Length, 3, LogStore.DamagedKept);
        Assert.All(
            folder.Image().Where(f => kept.Contains(f.Key) && f.Value.Length > 0),
            static file => Assert.Equal(ScanVerdict.Corrupt, SegmentScan.Of(file.Value).Verdict));
    }

    private static void Run(Other other, string[] texts, params ulong[] damaged)
    {
        int places = 0;
        for (ulong seed = 1; seed <= 2; seed++)
        {
            SortedDictionary<string, ReadOnlyMemory<byte>> start = DamagedFolder.Damaged(damaged);
            ModelFolder folder = new(start);
            Check(Mend(folder, other), texts);
            Assert.Contains(folder.Names(), static name => name.EndsWith(LogNames.DamagedSuffix, StringComparison.Ordinal));
            Prng prng = new(seed);
            CrashModel disk = new(start, prng);
            foreach (DiskOperation operation in folder.Journal)
            {
                if (operation is DiskOperation.Write write)
                {
                    Check(Mend(new(disk.AfterKill(write, prng.Next(write.Bytes.Length))), other), texts);
                }

                disk.Apply(operation);
                Check(Mend(new(disk.AfterKill(null, 0)), other), texts);
                Check(Mend(new(disk.AfterPowerFailure()), other), texts);
                places += 3;
            }
        }

        Assert.True(places > 60, $"{places} places");
    }

    private static void Check(LogRecovery found, string[] texts)
    {
        Assert.Null(found.Fault);
        if (texts.Length > 0)
        {
            Assert.Equal(texts, DamagedFolder.Texts(found));
        }
        else
        {
            // The snapshot is there, and what was behind it.
            Assert.Equal(6ul, found.Snapshot!.Index);
            Assert.Equal(10ul, found.LastIndex);
        }
    }

    private static LogRecovery Mend(ModelFolder folder, Other other)
    {
        using LogStore log = DamagedFolder.Open(folder, out LogRecovery found);
        Assert.False(found.IsLost);
        Assert.Equal(2ul, log.State.Term);
        DamagedLog damaged = new(log, found, [DamagedFolder.Second, DamagedFolder.Third], new(), new(0));
        for (long second = 0; !damaged.IsWhole; second++)
        {
            Assert.True(second < 20, "it comes to an end");
            Instant now = new(second * 1_000_000_000);
            foreach (RepairRequest request in damaged.Advance(now).Where(static r => r.To == DamagedFolder.Second))
            {
                damaged.Receive(other.Source().Answer(request, other.Term, isLeader: true));
            }

            switch (damaged.Next(now))
            {
                case { Step: RepairStep.Write or RepairStep.Cut } outcome:
                    damaged.Write(outcome, now);
                    break;
                case { Step: RepairStep.TakeSnapshot }:
                    Assert.True(damaged.Adopt(
                        new(6, 2, Encoding.ASCII.GetBytes("the state at 6")) { Configuration = DamagedFolder.Three }, now));
                    break;
            }
        }

        return damaged.Found;
    }
}
