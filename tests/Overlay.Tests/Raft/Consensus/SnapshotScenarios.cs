using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 52 to 58: snapshots.</summary>
public sealed class SnapshotScenarios
{
    [Fact]
    public void Scenario52_WhoNeedsACompactedEntryWaitsForASnapshot()
    {
        RaftRig rig = Behind();
        rig.IsManual = true;
        rig.Heal();

        // It was silent for longer than a check of the majority: it is not offered one before it says something.
        rig[1].Propose("x");
        Assert.DoesNotContain(rig.Sent, static m => m.Kind == MessageKind.InstallSnapshot);
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
        RaftMessage offer = rig.Sent.Single(static m => m.Kind == MessageKind.InstallSnapshot);
        Assert.Equal((new SnapshotMark(11, 1), Voters(1, 2, 3), 3UL), (offer.Snapshot, offer.Configuration, offer.To.Value));
        Assert.Equal((ProgressState.Snapshot, 11UL), (Third(rig).State, Third(rig).PendingSnapshot));
        rig.Forget();
        rig[1].Propose("y");
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
        Assert.DoesNotContain(rig.Sent, static m => m.To.Value == 3);
    }

    [Theory]
    [InlineData(true, 12)]
    [InlineData(false, 2)]
    public void Scenario53_AfterASnapshotTheMemberIsProbed(bool ok, ulong next)
    {
        RaftRig rig = Offered();
        rig[1].Core.SnapshotSent(new(3), ok);
        Assert.Equal((ProgressState.Probe, 1UL, next), (Third(rig).State, Third(rig).Match, Third(rig).Next));

        // Nothing more until it says something: then the tail, or another snapshot.
        rig[1].Propose("x");
        Assert.DoesNotContain(rig.Sent, static m => m.To.Value == 3);
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
        Assert.Contains(rig.Sent, m => m.To.Value == 3 && m.Kind == (ok ? MessageKind.Append : MessageKind.InstallSnapshot));
    }

    [Fact]
    public void Scenario53_AnAnswerThatCoversTheSnapshotEndsTheWait()
    {
        RaftRig rig = Offered();
        rig[1].Receive(Message(MessageKind.AppendResponse, 3, 1, 1) with { Index = 11 });
        Assert.Equal((ProgressState.Replicate, 11UL, 12UL), (Third(rig).State, Third(rig).Match, Third(rig).Next));
        rig[1].Core.SnapshotSent(new(3), true);
        Assert.Equal(ProgressState.Replicate, Third(rig).State);
    }

    [Fact]
    public void Scenario54_ASnapshotReplacesEverythingOrOnlyTellsWhatIsCommitted()
    {
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2), LogOf(1, 1, 1, 2));
        RaftFake member = rig.Add(2, Voters(1, 2), LogOf(1, 1, 1));
        member.Receive(Message(MessageKind.Heartbeat, 1, 2, 3) with { Commit = 2 });
        RaftMessage offer = Message(MessageKind.InstallSnapshot, 1, 2, 3) with { Configuration = Voters(1, 2, 7) };

        // Older than what is committed: nothing.
        Assert.False(member.Core.WantsSnapshot(new(2, 1)));
        member.Receive(offer with { Snapshot = new(2, 1) });
        Assert.Equal((2UL, 3UL), (member.Core.CommitIndex, member.Core.LastIndex));
        Assert.Equal(2UL, rig.Sent[^1].Index);

        // In the log: that is committed, and nothing else changes.
        rig.Hook = static _ => false;
        member.Do((core, at, into) => core.Receive(offer with { Snapshot = new(3, 1) }, at, into));
        Assert.Equal((3UL, 3UL, 1UL), (member.Core.CommitIndex, member.Core.LastIndex, member.Core.FirstIndex));
        Assert.Equal(Voters(1, 2), member.Core.Configuration);
    }

    [Fact]
    public void Scenario54_WhoHasNotLoadedASnapshotDoesNotCampaign()
    {
        RaftRig rig = Behind();
        rig[3].CompletesWrites = false;
        rig[3].Applies = false;
        rig.Heal();
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal((11UL, 11UL, 1UL, 0UL), (rig[3].Core.LastIndex, rig[3].Core.CommitIndex, rig[3].Core.AppliedIndex, rig[3].Core.DurableIndex));
        rig.Isolate(3);
        for (int step = 0; step < 3; step++)
        {
            Assert.Null(step == 0 ? rig[3].Restoring : null);
            rig.Pass(3 * Standard.ElectionTimeout);
            Assert.Equal(step < 2 ? RaftRole.Follower : RaftRole.PreCandidate, rig[3].Core.Role);
            while (step == 0 && rig[3].Writes.Count > 0)
            {
                rig[3].CompleteWrite();
            }

            if (step == 1)
            {
                Assert.Equal(new SnapshotMark(11, 1), rig[3].Restoring);
                rig[3].ApplyOpen();
            }
        }

        Assert.Equal(11, rig[3].State.Count);
    }

    public static TheoryData<string, Configuration> Configurations => new()
    {
        { "learners", new Configuration([new(1), new(2)], [], [new(3)], [], false) },
        { "joint", new Configuration([new(1), new(2)], [new(1), new(3)], [], [], true) },
        { "a voter that becomes a learner", new Configuration([new(1), new(2)], [new(1), new(3)], [], [new(3)], true) },
        { "a learner that became a voter", Voters(1, 2, 3) },
        { "without the receiver, who is added behind it", Voters(1, 2) },
    };

    [Theory]
    [MemberData(nameof(Configurations))]
    public void Scenario55_TheConfigurationIsTheSnapshots(string what, Configuration configuration)
    {
        RaftRig rig = new();
        RaftFake sender = rig.Add(1, configuration, LogOf(1, 1, 1));
        RaftFake member = rig.Add(3, new([new(1)], [], what[0] == 'a' ? [new(3)] : [], [], false));
        sender.Receive(Message(MessageKind.Heartbeat, 2, 1, 1) with { Commit = 3 });
        sender.Compact(4);
        rig.Forget();
        member.Receive(Message(MessageKind.InstallSnapshot, 1, 3, 1) with { Snapshot = new(3, 1), Configuration = configuration });
        Assert.Equal(configuration, member.Core.Configuration);
        Assert.Equal((3UL, 3UL, 3UL), (member.Core.LastIndex, member.Core.CommitIndex, member.Core.AppliedIndex));
        Assert.Equal((3UL, false), (rig.Sent.Single().Index, rig.Sent.Single().Reject));
        member.Restart();
        Assert.Equal(configuration, member.Core.Configuration);
        member.Campaign();
        Assert.Equal(configuration.IsVoter(new(3)), member.Core.Role == RaftRole.PreCandidate);
    }

    [Fact]
    public void Scenario56_OfTwoSnapshotsTheSecondWins()
    {
        for (int written = 0; written < 3; written++)
        {
            RaftRig rig = Behind();
            rig[3].CompletesWrites = written > 0;
            rig[3].Applies = false;
            rig.Heal();
            rig.IsManual = true;
            rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
            RaftMessage first = rig.Take(MessageKind.InstallSnapshot, 3);
            rig[1].Propose("late");
            rig.Deliver();
            rig[1].Compact(13);
            rig[1].Core.SnapshotSent(new(3), false);
            rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
            RaftMessage second = rig.Take(MessageKind.InstallSnapshot, 3);
            rig[3].Receive(first);
            if (written == 2)
            {
                // The first is being loaded when the second comes.
                Assert.Equal(first.Snapshot, rig[3].Restoring);
            }

            rig[3].CompletesWrites = true;
            if (written == 0)
            {
                rig[3].CompleteWrite();
            }

            rig[3].Receive(second);
            rig[3].Applies = true;
            rig[3].ApplyOpen();
            rig.IsManual = false;
            rig.Deliver();
            rig.Pass(Standard.ElectionTimeout);
            Assert.Equal(second.Snapshot, rig[3].DiskSnapshot);
            rig.AssertAgreed(1, 2, 3);
        }
    }

    [Fact]
    public void Scenario57_ASlowMemberGetsTheSnapshotAndTheTail()
    {
        RaftRig rig = Behind();
        for (int i = 0; i < 5; i++)
        {
            rig[1].Propose($"tail{i}");
        }

        rig.Deliver();
        rig.Heal();
        rig.Pass(Standard.ElectionTimeout);
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal(12UL, rig[3].Core.FirstIndex);
        rig[3].Restart();
        rig.Pass(Standard.ElectionTimeout);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario58_AnOlderSnapshotThanWasExpectedServesToo()
    {
        RaftRig rig = Behind(keepFrom: 6);
        rig.Heal();
        rig.IsManual = true;
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
        rig.Forget();
        Assert.Equal((ProgressState.Snapshot, 11UL), (Third(rig).State, Third(rig).PendingSnapshot));

        // It got one elsewhere: the leader's log begins behind it, and that is enough.
        rig[1].Receive(Message(MessageKind.AppendResponse, 3, 1, 1) with { Index = 4 });
        Assert.Equal(ProgressState.Snapshot, Third(rig).State);
        rig[1].Receive(Message(MessageKind.AppendResponse, 3, 1, 1) with { Index = 7 });
        Assert.Equal((ProgressState.Replicate, 7UL), (Third(rig).State, Third(rig).Match));
        Assert.Equal(7UL, rig.Take(MessageKind.Append, 3).Index);
    }

    /// <summary>1 leads with 2; it has 11 entries in a snapshot and 3 has one.</summary>
    private static RaftRig Behind(ulong keepFrom = 12)
    {
        RaftRig rig = Led(3);
        rig.Isolate(3);
        for (int i = 0; i < 10; i++)
        {
            rig[1].Propose($"x{i}");
        }

        rig.Deliver();
        rig[1].Compact(keepFrom);
        rig[1].Core.Unreachable(new(3));
        rig.Pass(1.5 * Standard.ElectionTimeout);
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Forget();
        return rig;
    }

    private static RaftRig Offered()
    {
        RaftRig rig = Behind();
        rig.IsManual = true;
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 3, 1, 1));
        Assert.Equal(ProgressState.Snapshot, Third(rig).State);
        rig.Forget();
        return rig;
    }

    private static MemberProgress Third(RaftRig rig) => rig[1].Core.Status().Members[2];
}
