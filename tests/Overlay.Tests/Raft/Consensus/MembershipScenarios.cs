using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 59 to 67: who is a member.</summary>
public sealed class MembershipScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;

    [Fact]
    public void Scenario59_MembersComeGoAndChangeRoles()
    {
        RaftRig rig = Led(1);
        rig.Add(2, Configuration.Empty);
        rig.Add(3, Configuration.Empty);
        Step(rig, "(1) learners=(2)", Learner(2));
        Step(rig, "(1 2)", Voter(2));
        Step(rig, "(1 2 3)", Voter(3));
        Step(rig, "(1 2) learners=(3)", Learner(3));
        Step(rig, "(1 2) learners=(3)", Learner(3));
        Step(rig, "(1 2)", Remove(3));
        Step(rig, "(1 2)", Remove(3));
        Step(rig, "(1)", Remove(2));
        ProposeOutcome last = rig[1].Change(Remove(1));
        Assert.Equal((ProposeStatus.Invalid, "the last voter cannot go: nobody could decide any more"), (last.Status, last.Reason));
        Assert.Equal(ProposeStatus.Invalid, rig[1].Change(Learner(1)).Status);
        Assert.Equal(ProposeStatus.Invalid, rig[1].Change().Status);
        Assert.Equal(ProposeStatus.Invalid, rig[1].Change(Voter(0)).Status);
    }

    [Fact]
    public void Scenario60_OneChangeAtATime()
    {
        // Elsewhere the second becomes an entry that does nothing. Here the caller is told, and nothing is proposed.
        RaftRig rig = Led(3);
        rig.IsManual = true;
        ProposeOutcome first = rig[1].Change(Learner(8));
        Assert.True(first.IsAccepted);
        Assert.Equal(ProposeStatus.ChangePending, rig[1].Change(Learner(9)).Status);
        Assert.Equal(first.Index, rig[1].Core.LastIndex);
        rig[1].Applies = false;
        rig.Deliver();
        Assert.Equal(first.Index, rig[1].Core.CommitIndex);
        Assert.Equal(ProposeStatus.ChangePending, rig[1].Change(Learner(9)).Status);
        rig[1].ApplyOpen();
        Assert.True(rig[1].Change(Learner(9)).IsAccepted);
    }

    [Fact]
    public void Scenario61_ANewLeaderChangesNothingBeforeItHasAppliedWhatItFound()
    {
        RaftRig rig = Led(3);
        rig.Hook = static m => m.Kind != MessageKind.AppendResponse;
        rig[1].Change(Learner(8));
        rig.Deliver();
        rig.Isolate(1);
        rig.Hook = static m => m.Kind is not MessageKind.AppendResponse and not MessageKind.Append;
        rig.Pass(T);
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
        Assert.Equal(ProposeStatus.ChangePending, rig[2].Change(Learner(9)).Status);
        rig.Hook = static _ => true;
        rig[2].Applies = false;
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal(3UL, rig[2].Core.CommitIndex);
        Assert.Equal(ProposeStatus.ChangePending, rig[2].Change(Learner(9)).Status);
        rig[2].Applies = true;
        rig[2].ApplyOpen();
        Assert.True(rig[2].Change(Learner(9)).IsAccepted);
        Assert.Equal(ProposeStatus.NotLeader, rig[3].Change(Learner(7)).Status);
    }

    [Fact]
    public void Scenario62_ASmallerMajorityCommitsWhatWaited()
    {
        // Of four with one gone a majority is three. When the fourth is removed by the other three, two are enough.
        RaftRig rig = Led(4);
        rig.Isolate(4);
        rig.IsManual = true;
        rig[1].Change(Remove(4));
        rig[1].Applies = false;
        rig.Deliver();
        Assert.Equal(2UL, rig[1].Core.CommitIndex);
        rig.Hook = static m => m.To.Value != 3;
        rig[1].Propose("a");
        rig.Deliver();
        Assert.Equal(2UL, rig[1].Core.CommitIndex);
        rig[1].ApplyOpen();
        Assert.Equal(3UL, rig[1].Core.CommitIndex);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario63_NobodyCampaignsBeforeACommittedChangeIsApplied(bool byTransfer)
    {
        RaftRig rig = Led(3);
        rig[2].Applies = false;
        rig[1].Change(Learner(9));
        rig.Deliver();
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal((2UL, 1UL), (rig[2].Core.CommitIndex, rig[2].Core.AppliedIndex));
        Wake(rig, byTransfer);
        Assert.Equal((RaftRole.Follower, 1UL), (rig[2].Core.Role, rig[2].Core.Term));
        rig[2].ApplyOpen();
        Wake(rig, byTransfer);
        Assert.NotEqual(RaftRole.Follower, rig[2].Core.Role);
    }

    [Fact]
    public void Scenario64_AJointChangeIsLeftByItselfOrByHand()
    {
        RaftRig rig = Led(1);
        rig.Add(2, Configuration.Empty);
        rig.Add(3, Configuration.Empty);
        List<string> seen = [];
        rig.Told = (member, effects) =>
        {
            if (member.Id.Value == 1 && effects.ConfigurationChanged)
            {
                seen.Add(member.Core.Configuration.ToString());
            }
        };
        rig[1].Change(Voter(2), Voter(3));
        rig.Deliver();
        rig.Pass(T);
        Assert.Equal(["(1 2 3)&&(1) autoleave", "(1 2 3)"], seen);
        rig.AssertAgreed(1, 2, 3);

        seen.Clear();
        rig[1].Change(ChangeMode.JointExplicit, Learner(2), Remove(3));
        rig.Deliver();
        Assert.Equal(ProposeStatus.Invalid, rig[1].Change(Voter(4)).Status);
        Assert.Equal(ProposeStatus.Invalid, rig[1].Change(ChangeMode.Joint, Voter(4)).Status);
        rig.Pass(T);
        Assert.Equal(["(1)&&(1 2 3) next=(2)"], seen);
        Assert.True(rig[1].Core.ProposeLeaveJoint().IsAccepted);
        rig[1].Advance();
        rig.Deliver();
        Assert.Equal("(1) learners=(2)", rig[1].Core.Configuration.ToString());
        Assert.Equal(ProposeStatus.Invalid, rig[1].Core.ProposeLeaveJoint().Status);
        rig.Pass(T);
        Assert.Equal("(1) learners=(2)", rig[2].Core.Configuration.ToString());
    }

    [Fact]
    public void Scenario64_BothHalvesOfAJointConfigurationDecide()
    {
        RaftRig rig = Led(3);
        for (ulong id = 4; id <= 6; id++)
        {
            rig.Add(id, Configuration.Empty);
        }

        rig[1].Change(ChangeMode.JointExplicit, Voter(4), Voter(5), Voter(6), Remove(2), Remove(3));
        rig.Deliver();
        rig.Pass(T);
        Assert.Equal("(1 4 5 6)&&(1 2 3)", rig[5].Core.Configuration.ToString());
        foreach ((ulong, ulong) gone in new[] { (2UL, 3UL), (5UL, 6UL) })
        {
            rig.Isolate(gone.Item1);
            rig.Isolate(gone.Item2);
            ulong before = rig[1].Core.CommitIndex;
            rig[1].Propose("a");
            rig.Deliver();
            Assert.Equal(before, rig[1].Core.CommitIndex);
            rig.Heal();
            rig.Pass(T / 2);
            Assert.Equal(before + 1, rig[1].Core.CommitIndex);
        }

        // Nor does a majority of one half elect.
        rig.Isolate(1);
        rig.Isolate(5);
        rig.Isolate(6);
        rig.Pass(10 * T);
        Assert.DoesNotContain(rig.Members, static m => m.Core.Role == RaftRole.Leader);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Scenario65_TheLeaderIsReplacedInOneJointChange(bool stepDown)
    {
        RaftRig rig = new();
        RaftOptions options = Standard with { StepDownOnRemoval = stepDown };
        for (ulong id = 1; id <= 4; id++)
        {
            rig.Add(id, id == 4 ? Configuration.Empty : Voters(1, 2, 3), options: options);
        }

        rig[1].Campaign();
        rig.Deliver();
        rig[1].Change(Voter(4), Remove(1));
        rig.Deliver();
        rig.Pass(T / 2);
        Assert.Equal("(2 3 4)", rig[1].Core.Configuration.ToString());
        Assert.Equal(stepDown ? RaftRole.Follower : RaftRole.Leader, rig[1].Core.Role);
        rig[1].Do((core, at, into) => core.Campaign(at, into));
        rig.Deliver();
        if (!stepDown)
        {
            // It leads on without being counted, and hands over when it is told to.
            rig[1].Propose("a");
            rig.Deliver();
            rig.Pass(T / 2);
            Assert.Equal(rig[2].Core.LastIndex, rig[1].Core.CommitIndex);
            Assert.True(rig[1].TransferTo(4));
            rig.Deliver();
            Assert.Equal(RaftRole.Leader, rig[4].Core.Role);
        }

        rig.Pass(10 * T);
        Assert.NotEqual(1UL, rig.Leader.Id.Value);
        ulong term = rig.Leader.Core.Term;
        rig[1].Restart();
        rig.Pass(10 * T);

        // After its restart it has not applied yet that it is gone; it asks, and nobody hears it.
        Assert.Equal((term, term), (rig.Leader.Core.Term, Math.Max(term, rig[1].Core.Term)));
        rig.AssertAgreed(2, 3, 4);
    }

    [Fact]
    public void Scenario66_ALearnerFollowsAndVotesWhenItIsAsked()
    {
        RaftRig rig = Led(1);
        rig.Add(2, Configuration.Empty);
        Step(rig, "(1) learners=(2)", Learner(2));
        rig.Pass(Standard.HeartbeatInterval);
        rig.AssertAgreed(1, 2);
        Assert.True(rig[1].Core.IsCaughtUp(new(2)));
        rig.Isolate(2);
        rig.Pass(10 * T);
        Assert.Equal((RaftRole.Follower, RaftRole.Leader), (rig[2].Core.Role, rig[1].Core.Role));
        rig[2].Campaign();
        rig[2].Receive(Message(MessageKind.TimeoutNow, 1, 2, 1));
        Assert.Equal((RaftRole.Follower, 1UL), (rig[2].Core.Role, rig[2].Core.Term));

        // It may have been made a voter without having heard.
        rig.Forget();
        rig[2].Receive(Message(MessageKind.Vote, 7, 2, 2) with { Index = 9, LogTerm = 1 });
        Assert.False(rig.Sent.Single().Reject);
    }

    [Fact]
    public void Scenario67_ARemovedMemberStaysAFollower()
    {
        RaftRig rig = Led(3);
        Step(rig, "(1 2)", Remove(3));
        rig[3].Receive(Message(MessageKind.Append, 1, 3, 1) with { Index = 1, LogTerm = 1, Commit = 2, Entries = rig[1].Disk.ToArray().AsMemory(1, 1) });
        Assert.Equal("(1 2)", rig[3].Core.Configuration.ToString());
        rig[3].Receive(Message(MessageKind.TimeoutNow, 1, 3, 1));
        rig[3].Receive(Message(MessageKind.VoteResponse, 1, 3, 1));
        rig[3].Receive(Message(MessageKind.VoteResponse, 2, 3, 1));
        rig.Pass(10 * T);
        Assert.Equal((RaftRole.Follower, 1UL), (rig[3].Core.Role, rig[3].Core.Term));
        Assert.Equal((RaftRole.Leader, 1UL), (rig[1].Core.Role, rig[1].Core.Term));
    }

    [Fact]
    public void Scenario67_ARemovedMemberThatHasNotHeardDoesNotDisturb()
    {
        RaftRig rig = Led(3);
        rig.Isolate(3);
        Step(rig, "(1 2)", Remove(3));
        rig.Heal();
        rig.Pass(20 * T);
        Assert.Equal((RaftRole.Leader, 1UL), (rig[1].Core.Role, rig[1].Core.Term));
        Assert.Equal("(1 2 3)", rig[3].Core.Configuration.ToString());
    }

    [Fact]
    public void Scenario63_AChangeIsDurablyCommittedBeforeItHolds()
    {
        // {1, 2, 3} shrinks to {3}. 1 and 2 may be wiped then: 3 must not ask them when it comes back.
        RaftRig rig = Led(3, leader: 3);
        rig[3].Change(Remove(1), Remove(2));
        rig.Deliver();
        rig.Pass(T);
        Assert.Equal("(3)", rig[3].Core.Configuration.ToString());
        Assert.Equal(3UL, rig[3].DiskState.Committed);
        rig.Isolate(3);
        rig[3].Restart();
        rig.Pass(3 * T);
        Assert.Equal((RaftRole.Leader, "(3)"), (rig[3].Core.Role, rig[3].Core.Configuration.ToString()));

        // And it is written first: as long as the disk does not have it, the old one holds.
        rig[3].CompletesWrites = false;
        rig[3].Change(Voter(4));
        rig[3].CompleteWrite();
        Assert.Equal((5UL, 4UL), (rig[3].Core.CommitIndex, rig[3].Core.AppliedIndex));
        Assert.Equal("(3)", rig[3].Core.Configuration.ToString());
        rig[3].CompleteWrite();
        Assert.Equal((5UL, "(3 4)"), (rig[3].Core.AppliedIndex, rig[3].Core.Configuration.ToString()));
    }

    [Fact]
    public void Scenario63_AfterARestartAChangeBeforeAnotherCountsAsCommitted()
    {
        // A majority of (1 2 3) need not meet one of (1 2 3 4 5): who has both changes in its log must not use the first
        // voters any more, though it has forgotten what was committed.
        RaftRig rig = Led(3);
        rig.Add(4, Configuration.Empty);
        rig.Add(5, Configuration.Empty);
        Step(rig, "(1 2 3 4)", Voter(4));
        rig[1].Propose("a");
        Step(rig, "(1 2 3 4 5)", Voter(5));
        rig[2].Applies = false;
        rig[2].ForgetChange();
        rig[2].Restart();
        Assert.Equal((4UL, 2UL, 0UL), (rig[2].Core.LastIndex, rig[2].Core.CommitIndex, rig[2].Core.AppliedIndex));
        Assert.Equal("(1 2 3)", rig[2].Core.Configuration.ToString());
        rig.Isolate(2);
        rig[2].Campaign();
        Assert.Equal(RaftRole.Follower, rig[2].Core.Role);
        while (rig[2].Open is not null)
        {
            rig[2].ApplyOpen();
        }

        Assert.Equal("(1 2 3 4)", rig[2].Core.Configuration.ToString());
        rig[2].Campaign();
        Assert.Equal(RaftRole.PreCandidate, rig[2].Core.Role);
    }

    private static MemberChange Voter(ulong id) => new(MemberChangeKind.AddVoter, new(id));

    private static MemberChange Learner(ulong id) => new(MemberChangeKind.AddLearner, new(id));

    private static MemberChange Remove(ulong id) => new(MemberChangeKind.Remove, new(id));

    private static void Step(RaftRig rig, string expected, MemberChange change)
    {
        ProposeOutcome outcome = rig[1].Change(change);
        Assert.True(outcome.IsAccepted, $"{outcome.Status} {outcome.Reason}");
        rig.Deliver();
        rig.Pass(Standard.HeartbeatInterval * 2);
        Assert.Equal(expected, rig[1].Core.Configuration.ToString());
    }

    private static void Wake(RaftRig rig, bool byTransfer)
    {
        if (byTransfer)
        {
            rig[2].Receive(Message(MessageKind.TimeoutNow, 1, 2, 1));
        }
        else
        {
            rig.Skip(2 * T);
            rig[2].Advance();
        }
    }
}
