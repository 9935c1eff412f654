using Overlay.Daemon.Manager.Replication;

namespace Overlay.Tests.Daemon.Manager.Replication;

/// <summary>How many entries a snapshot waits for.</summary>
public sealed class SnapshotPaceTests
{
    [Theory]
    [InlineData(100, 4096, 0, 4196)]
    [InlineData(0, 4096, 8192, 4096)]
    [InlineData(0, 4096, 10_000, 5_000)]
    [InlineData(7, 4096, 1_000_000, 500_007)]
    [InlineData(0, 10, 60, 10)]
    [InlineData(0, 10, 81_920, 100)]
    public void Each_entry_pays_for_two_objects_of_a_large_state(ulong last, int every, int objects, ulong due) =>
        Assert.Equal(due, SnapshotPace.Due(last, every, objects));

    [Fact]
    public void While_a_state_grows_all_snapshots_together_cost_no_more_than_a_few_times_what_was_written()
    {
        ulong last = 0;
        ulong encoded = 0;
        const int Written = 2_000_000;
        for (ulong index = 1; index <= Written; index++)
        {
            if (index >= SnapshotPace.Due(last, ConsensusSetup.SnapshotEveryEntries, (int)index))
            {
                encoded += index;
                last = index;
            }
        }

        Assert.InRange(encoded, Written / 2ul, 3ul * Written);
    }
}
