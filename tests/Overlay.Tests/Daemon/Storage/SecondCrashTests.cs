using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Simulation.Whole;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>
/// A process is killed in the middle of what it writes, the next one goes on, then the power fails: what the next one has
/// acknowledged is there, although the first never synced the folder.
/// </summary>
public sealed class SecondCrashTests
{
    private static readonly LogOptions Options = new()
    {
        Limits = new() { SegmentEntries = 2, BatchBytes = 200 },
        Identity = new("c1", new(1)),
        AllowDamage = true,
    };

    [Fact]
    public void What_was_acknowledged_after_a_kill_survives_a_power_failure()
    {
        int killed = 0;
        for (ulong seed = 0; seed < 8; seed++)
        {
            for (int fuse = 0; fuse < 50; fuse++)
            {
                SimDisk disk = new(new Prng(seed));
                ulong acknowledged = 0;
                disk.Fuse = fuse;
                try
                {
                    Write(disk, ref acknowledged);
                }
                catch (SimCrashException)
                {
                    killed++;
                }

                disk.Kill();
                Write(disk, ref acknowledged);
                disk.PowerFail();
                using LogStore log = LogStore.OpenAs(new SimFolder(disk), Options, out LogRecovery found);
                Assert.True(found.LastIndex >= acknowledged, $"seed {seed}, fuse {fuse}: {found.LastIndex} of {acknowledged}");
                Assert.Equal((int)found.LastIndex, found.Entries.Count);
            }
        }

        Assert.True(killed > 200, $"{killed}");
    }

    [Fact]
    public void A_vote_survives_a_failed_sync_a_restart_and_a_power_failure()
    {
        int failed = 0;
        for (ulong seed = 0; seed < 2000; seed++)
        {
            Prng prng = new(seed);
            SimDisk disk = new(prng);
            ulong durable = 0;
            LogStore log = LogStore.OpenAs(new SimFolder(disk), Options, out _);
            disk.FailChance = 0.2;
            try
            {
                while (durable < 20)
                {
                    log.WriteState(new(durable + 1, new(durable + 2)));
                    durable++;
                }
            }
            catch (StorageWriteException)
            {
                failed++;
            }

            disk.FailChance = 0;
            disk.Kill();
            log = LogStore.OpenAs(new SimFolder(disk), Options, out _);
            ulong told = log.State.Term;
            Assert.True(told >= durable);
            disk.Fuse = prng.Next(4);
            Assert.ThrowsAny<Exception>(() => log.WriteState(new(told + 1, MemberId.None)));
            disk.PowerFail();
            using LogStore last = LogStore.OpenAs(new SimFolder(disk), Options, out _);
            Assert.True(
                last.State.Term > told || (last.State.Term == told && last.State.Vote == new MemberId(told == 0 ? 0 : told + 1)),
                $"seed {seed}: {last.State}, told was {told}");
        }

        Assert.True(failed > 1000, $"{failed}");
    }

    /// <summary>Three entries, which begin a second segment; the process ends without a word.</summary>
    private static void Write(SimDisk disk, ref ulong acknowledged)
    {
        LogStore log = LogStore.OpenAs(new SimFolder(disk), Options, out _);
        for (int i = 0; i < 3; i++)
        {
            ulong index = log.LastIndex + 1;
            log.Write(new(index, new(index, MemberId.None), 0, new LogEntry[] { new(index, index, new byte[20]) }, null));
            acknowledged = index;
        }
    }
}
