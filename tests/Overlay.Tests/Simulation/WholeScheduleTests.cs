using Overlay.Simulation;
using Overlay.Simulation.Whole;

namespace Overlay.Tests.Simulation;

public sealed class WholeScheduleTests
{
    [Fact]
    public void The_same_seed_is_the_same_run_of_whole_managers_down_to_the_bytes_on_their_disks()
    {
        HashSet<ulong> transcripts = [];
        for (ulong seed = 1; seed <= 8; seed++)
        {
            ScheduleVerdict<WholeSometimes> first = WholeRun.Of(seed, trace: false);
            ScheduleVerdict<WholeSometimes> second = WholeRun.Of(seed, trace: false);
            Assert.Null(first.Failure);
            Assert.Equal((first.Transcript, first.Events, first.Time), (second.Transcript, second.Events, second.Time));
            transcripts.Add(first.Transcript);
        }

        Assert.Equal(8, transcripts.Count);
    }
}
