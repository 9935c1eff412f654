using Overlay.Raft;
using Overlay.Simulation;
using Overlay.Simulation.Raft;

namespace Overlay.Tests.Simulation;

public sealed class RaftScheduleTests
{
    [Fact]
    public void The_same_seed_is_the_same_run()
    {
        HashSet<ulong> transcripts = [];
        for (ulong seed = 1; seed <= 12; seed++)
        {
            ScheduleVerdict<RaftSometimes> first = RaftRun.Of(seed, trace: false);
            ScheduleVerdict<RaftSometimes> second = RaftRun.Of(seed, trace: false);
            Assert.Null(first.Failure);
            Assert.Equal((first.Transcript, first.Events, first.Time), (second.Transcript, second.Events, second.Time));
            transcripts.Add(first.Transcript);
        }

        Assert.Equal(12, transcripts.Count);
    }

    [Fact]
    public void Events_come_by_time_and_then_as_asked()
    {
        EventHeap heap = new();
        for (int i = 0; i < 1000; i++)
        {
            heap.Add(new(i * 7919 % 101, RaftEventKind.Timer, i, 0, 0));
        }

        List<(long At, int Number)> taken = [];
        while (!heap.IsEmpty)
        {
            RaftEvent next = heap.Take();
            taken.Add((next.At, next.Node));
        }

        Assert.Equal(1000, taken.Count);
        Assert.Equal(taken.Order(), taken);
    }

    [Fact]
    public void Configurations_one_voter_apart_never_decide_apart()
    {
        Assert.False(Majorities.CanSplit(Voters(1, 2, 3), Voters(1, 2, 3, 4)));
        Assert.False(Majorities.CanSplit(Voters(1, 2, 3, 4), Voters(1, 2, 3)));
        Assert.False(Majorities.CanSplit(Voters(1), Voters(1, 2)));
    }

    [Fact]
    public void Configurations_two_voters_apart_may_and_a_joint_one_between_them_may_not()
    {
        Assert.True(Majorities.CanSplit(Voters(1, 2, 3), Voters(1, 4, 5)));
        Assert.True(Majorities.CanSplit(Voters(1, 2, 3), Voters(1, 2, 3, 4, 5)));
        Configuration joint = new(Voters(1, 4, 5).Voters, Voters(1, 2, 3).Voters, [], [], true);
        Assert.False(Majorities.CanSplit(Voters(1, 2, 3), joint));
        Assert.False(Majorities.CanSplit(joint, Voters(1, 4, 5)));
    }

    private static Configuration Voters(params ulong[] ids) => Configuration.OfVoters([.. ids.Select(static i => new MemberId(i))]);
}
