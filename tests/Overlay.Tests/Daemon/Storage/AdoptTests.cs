using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Tests.Raft.Repair;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>A snapshot of another member in place of what is damaged; each of these once ended as a lost member, or never.</summary>
public sealed class AdoptTests
{
    private static readonly MemberId Id = new(1);

    [Fact]
    public void A_snapshot_of_a_term_that_this_member_has_not_heard_of_is_taken()
    {
        using LogStore log = Damaged(static log => log.Append([Entry(4), Entry(5)]), out LogRecovery damaged);
        LogRecovery found = log.Adopt(damaged, Snapshot(9, 7));
        Assert.Equal((9ul, 7ul, 0), (found.LastIndex, log.State.Term, found.Damaged.Count));
        Assert.True(log.State.Vote.IsNone);
    }

    [Fact]
    public void A_snapshot_that_is_the_whole_log_is_taken_again()
    {
        using LogStore log = Damaged(static _ => { }, out LogRecovery damaged);
        Assert.Equal(3ul, damaged.LastIndex);
        LogRecovery found = log.Adopt(damaged, Snapshot(3, 1));
        Assert.Equal((3ul, 0), (found.LastIndex, found.Damaged.Count));
        log.Append([Entry(4)]);
        Assert.Equal(4ul, log.LastIndex);
    }

    [Fact]
    public void What_never_was_in_a_segment_only_a_snapshot_makes_up_for()
    {
        using LogStore log = Damaged(static log => log.Append([Entry(4), Entry(5)]), out LogRecovery damaged);
        Assert.Equal(3ul, damaged.SnapshotNeeded);
        LogRepair repair = new(Id, log.State, damaged, [new(2)], new(), new(0));
        Assert.NotEmpty(repair.Advance(new(0)));
        repair.Receive(new(
            new(2), Id, 1, true, new(4, 1), [.. Enumerable.Range(1, 3).Select(static i => new RepairAnswer(RepairFate.Whole, Entry((ulong)i)))]));
        Assert.Equal(RepairStep.TakeSnapshot, repair.Next(new(9_000_000_000)).Step);
        LogRecovery found = log.Adopt(damaged, Snapshot(4, 1));
        Assert.Equal((5ul, 0), (found.LastIndex, found.Damaged.Count));
    }

    /// <summary>A log that began with another's snapshot of entry 3, which is damaged now.</summary>
    private static LogStore Damaged(Action<LogStore> write, out LogRecovery found)
    {
        ModelFolder folder = new();
        using (LogStore log = LogStore.OpenAs(folder, RepairCluster.OptionsOf(Id), out _))
        {
            log.WriteState(new(1, MemberId.None));
            log.Install(Snapshot(3, 1));
            write(log);
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> image = folder.Image();
        byte[] bytes = image[LogNames.Snapshot(3)].ToArray();
        bytes[^1] ^= 1;
        image[LogNames.Snapshot(3)] = bytes;
        LogStore opened = LogStore.OpenAs(new ModelFolder(image), RepairCluster.OptionsOf(Id), out found);
        Assert.NotEmpty(found.Damaged);
        return opened;
    }

    private static LogEntry Entry(ulong index) => new(index, 1, new byte[] { (byte)index });

    private static LogSnapshot Snapshot(ulong index, ulong term) =>
        new(index, term, new byte[] { 1, 2, 3 }) { Configuration = Overlay.Raft.Configuration.OfVoters(Id, new(2)) };
}
