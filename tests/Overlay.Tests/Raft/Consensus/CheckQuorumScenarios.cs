using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 24 to 30: leases of a leader.</summary>
public sealed class CheckQuorumScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;
    private static readonly RaftOptions NoPreVote = Standard with { PreVote = false };

    [Fact]
    public void Scenario24_ALeaderThatHearsNoMajorityStepsDown()
    {
        RaftRig rig = Led(5);
        rig.Cut(1, 2);
        rig.Cut(1, 3);
        rig.Pass(5 * T);
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Cut(1, 4);
        rig.Pass(T / 10);
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Pass(2 * T);
        Assert.Equal(RaftRole.Follower, rig[1].Core.Role);
    }

    [Fact]
    public void Scenario25_WhoHearsALeaderGivesNoVote()
    {
        foreach (MessageKind kind in new[] { MessageKind.Vote, MessageKind.PreVote })
        {
            RaftRig rig = Led(3);
            rig.IsManual = true;
            rig.Skip(T - TimeSpan.FromMilliseconds(1));
            RaftMessage vote = Message(kind, 3, 2, 2) with { Index = 9, LogTerm = 1 };
            rig.Forget();
            rig[2].Receive(vote);
            Assert.Empty(rig.Sent);
            Assert.Equal(1UL, rig[2].Core.Term);
            rig.Skip(TimeSpan.FromMilliseconds(1));
            rig[2].Receive(vote);
            Assert.False(rig.Sent.First(static m => m.Kind is MessageKind.VoteResponse or MessageKind.PreVoteResponse).Reject);
        }
    }

    [Fact]
    public void Scenario26_ACandidateOfALaterTermIsFreedByTheLeadersHeartbeat()
    {
        RaftRig rig = Led(3, NoPreVote);
        rig.Isolate(3);
        rig[3].Campaign();
        rig[3].Campaign();
        rig.Deliver();
        rig.Heal();
        Assert.Equal((RaftRole.Candidate, 3UL), (rig[3].Core.Role, rig[3].Core.Term));
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal((RaftRole.Follower, 3UL), (rig[1].Core.Role, rig[1].Core.Term));
        rig.Pass(10 * T);
        rig.AssertAgreed(1, 2, 3);
        Assert.True(rig.Leader.Core.Term >= 3);
    }

    [Fact]
    public void Scenario27_ANewMemberCountsAsHeardUntilTheNextCheck()
    {
        RaftRig rig = Led(1);
        rig.Pass(T - TimeSpan.FromMilliseconds(1));
        rig[1].Change(new MemberChange(MemberChangeKind.AddVoter, new(2)));
        Assert.Equal(2, rig[1].Core.Configuration.Voters.Length);
        rig.Pass(TimeSpan.FromMilliseconds(2));
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Pass(T);
        Assert.Equal(RaftRole.Follower, rig[1].Core.Role);
    }

    [Fact]
    public void Scenario28_AMemberThatMayNotLeadLearnsWhoDoes()
    {
        RaftRig rig = Of(2);
        rig.Add(3, Voters(1, 2));
        rig[1].Campaign();
        rig.Deliver();
        rig[3].Receive(Message(MessageKind.Heartbeat, 1, 3, 1));
        rig.Pass(5 * T);
        Assert.Equal((RaftRole.Follower, new MemberId(1), 1UL), (rig[3].Core.Role, rig[3].Core.Leader, rig[3].Core.Term));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario29_ALateHeartbeatAndAnEarlyCandidate(bool preVote)
    {
        RaftRig rig = Led(3, Standard with { PreVote = preVote });
        rig.CutOneWay(1, 3);
        rig.Pass(3 * T);
        rig.Heal();
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal(preVote ? RaftRole.Leader : RaftRole.Follower, rig[1].Core.Role);
        Assert.Equal(preVote, rig[1].Core.Term == 1);
        rig.Pass(10 * T);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario30_ATransferIsNotHinderedByTheLease()
    {
        RaftRig rig = Led(3);
        Assert.True(rig[1].TransferTo(3));
        rig.Deliver();
        Assert.Equal(3UL, rig.Leader.Id.Value);
        rig.AssertAgreed(1, 2, 3);
    }
}
