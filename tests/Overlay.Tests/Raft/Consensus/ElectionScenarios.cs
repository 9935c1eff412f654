using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 13 to 23: elections under faults.</summary>
public sealed class ElectionScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario13_AWinnersShorterTermHistoryOverwritesALosersLaterEntry(bool preVote)
    {
        // 1 wins with the votes of 4 and 5, though 2 and 3 have seen later terms: their entries were never committed.
        RaftRig rig = new();
        Configuration all = Voters(1, 2, 3, 4, 5);
        RaftOptions options = Plain with { PreVote = preVote };
        rig.Add(1, all, LogOf(1), options: options);
        rig.Add(2, all, LogOf(1), options: options);
        rig.Add(3, all, LogOf(2), options: options);
        rig.Add(4, all, [], new(2, new(3)), options);
        rig.Add(5, all, [], new(2, new(3)), options);
        rig[1].Campaign();
        rig.Deliver();
        for (int i = 0; rig[1].Core.Role != RaftRole.Leader; i++)
        {
            Assert.True(i < 3);
            rig[1].Campaign();
            rig.Deliver();
        }

        rig.AssertAgreed(1, 2, 3, 4, 5);
        Assert.Equal(1UL, rig[3].Core.TermAt(1));
    }

    [Theory]
    [InlineData(RaftRole.Follower)]
    [InlineData(RaftRole.PreCandidate)]
    [InlineData(RaftRole.Candidate)]
    [InlineData(RaftRole.Leader)]
    public void Scenario14_AVoteIsRememberedAndAPreVoteIsNot(RaftRole role)
    {
        RaftOptions options = Plain with { PreVote = role == RaftRole.PreCandidate };
        RaftRig rig = InRole(role, options);
        HardState before = rig[1].Core.State;
        rig[1].Receive(Message(MessageKind.PreVote, 2, 1, 7) with { Index = 9, LogTerm = 6 });
        Assert.Equal((role, before), (rig[1].Core.Role, rig[1].Core.State));
        Assert.Equal((MessageKind.PreVoteResponse, 7UL, false), (rig.Sent[^1].Kind, rig.Sent[^1].Term, rig.Sent[^1].Reject));
        rig[1].Receive(Message(MessageKind.Vote, 2, 1, 7) with { Index = 9, LogTerm = 6 });
        Assert.Equal((RaftRole.Follower, new HardState(7, new(2))), (rig[1].Core.Role, rig[1].Core.State));
        Assert.Equal(new HardState(7, new(2)), rig[1].DiskState);
        Assert.Equal((MessageKind.VoteResponse, 7UL, false), (rig.Sent[^1].Kind, rig.Sent[^1].Term, rig.Sent[^1].Reject));
    }

    [Fact]
    public void Scenario15_ACandidateOfAMinorityConcedesAndTakesTheLog()
    {
        RaftRig rig = Of(3, Plain);
        rig.Isolate(1);
        rig[1].Campaign();
        rig[3].Campaign();
        rig.Deliver();
        Assert.Equal((RaftRole.Candidate, RaftRole.Leader), (rig[1].Core.Role, rig[3].Core.Role));
        rig.Heal();
        rig[3].Propose("a");
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal((RaftRole.Follower, 1UL), (rig[1].Core.Role, rig[1].Core.Term));
        rig.AssertAgreed(1, 2, 3);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario16_DuellingCandidatesAcrossACutLink(bool preVote)
    {
        RaftRig rig = Of(3, Plain with { PreVote = preVote });
        rig.Cut(1, 3);
        rig[1].Campaign();
        rig[3].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        Assert.Equal(RaftRole.Candidate, rig[3].Core.Role);

        // 3 has less in its log now: it loses, but if it does not ask before, it takes the leader with it.
        rig.Heal();
        rig[3].Campaign();
        rig.Deliver();
        Assert.Equal(preVote ? RaftRole.Leader : RaftRole.Follower, rig[1].Core.Role);
        Assert.Equal(RaftRole.Follower, rig[3].Core.Role);
        Assert.Equal(preVote ? 1UL : 2UL, rig[1].Core.Term);
    }

    [Fact]
    public void Scenario17_ALeaderDoesNotCampaignAndATermHasOneLeader()
    {
        RaftRig rig = Led(3);
        rig[1].Campaign();
        Assert.Equal((RaftRole.Leader, 1UL), (rig[1].Core.Role, rig[1].Core.Term));
        Assert.Throws<InvariantException>(() => rig[1].Receive(Message(MessageKind.Append, 2, 1, 1)));
        Assert.Throws<InvariantException>(() => rig[1].Receive(Message(MessageKind.Heartbeat, 2, 1, 1)));

        // A follower that gets votes it has not asked for stays one.
        rig[2].Receive(Message(MessageKind.VoteResponse, 1, 2, 1));
        rig[2].Receive(Message(MessageKind.VoteResponse, 3, 2, 1));
        Assert.Equal(RaftRole.Follower, rig[2].Core.Role);
    }

    [Fact]
    public void Scenario18_AVoteForItselfThatIsDurableTooLateDoesNotCount()
    {
        RaftRig rig = Of(3, Plain);
        rig[1].CompletesWrites = false;
        rig[1].Campaign();
        Assert.Empty(rig.Sent);
        rig[1].Receive(Message(MessageKind.Heartbeat, 2, 1, 1));
        Assert.Equal(RaftRole.Follower, rig[1].Core.Role);
        rig[1].CompleteWrite();
        Assert.Equal((RaftRole.Follower, new MemberId(2)), (rig[1].Core.Role, rig[1].Core.Leader));

        // And in a single one's cluster nothing else counts.
        RaftRig alone = Of(1);
        alone[1].CompletesWrites = false;
        alone[1].Campaign();
        Assert.Equal(RaftRole.Candidate, alone[1].Core.Role);
        alone[1].CompleteWrite();
        Assert.Equal(RaftRole.Leader, alone[1].Core.Role);
    }

    [Fact]
    public void Scenario19_APreVoteForItselfIsNoVote()
    {
        // Ours counts at once, as it needs no disk; what must not happen is that it counts in the election behind.
        RaftRig rig = Of(5);
        rig.IsManual = true;
        rig[1].CompletesWrites = false;
        rig[1].Campaign();
        rig[1].Receive(Message(MessageKind.PreVoteResponse, 2, 1, 1));
        rig[1].Receive(Message(MessageKind.PreVoteResponse, 3, 1, 1));
        Assert.Equal(RaftRole.Candidate, rig[1].Core.Role);
        rig[1].Receive(Message(MessageKind.PreVoteResponse, 4, 1, 2));
        rig[1].Receive(Message(MessageKind.VoteResponse, 2, 1, 1));
        rig[1].Receive(Message(MessageKind.VoteResponse, 3, 1, 1));
        Assert.Equal(RaftRole.Candidate, rig[1].Core.Role);
        rig[1].CompleteWrite();
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
    }

    [Fact]
    public void Scenario20_ALeadersOwnWriteThatEndsInAnotherTermCommitsNothing()
    {
        RaftRig rig = Led(3, Plain);
        rig[1].CompletesWrites = false;
        rig[1].Propose("a");
        rig.Hook = static m => m.Kind != MessageKind.Append || m.Entries.Length == 0 || m.To.Value != 3;
        rig.Deliver();
        Assert.Equal(1UL, rig[1].Core.CommitIndex);
        rig[1].Receive(Message(MessageKind.Heartbeat, 3, 1, 5));
        rig[1].CompleteWrite();
        Assert.Equal((2UL, 1UL), (rig[1].Core.DurableIndex, rig[1].Core.CommitIndex));
    }

    [Fact]
    public void Scenario21_ASplitPreVoteElectsOneAtTheNextTimeout()
    {
        RaftRig rig = Of(4);
        rig.IsManual = true;
        rig[1].Campaign();
        rig[2].Campaign();
        RaftMessage[] asked = [.. rig.Queue];
        rig.Queue.Clear();
        foreach (RaftMessage message in asked.Where(static m => m.From.Value + 2 == m.To.Value))
        {
            rig.Deliver(message);
        }

        rig.Deliver();
        rig.IsManual = false;
        rig.Pass(10 * T);
        Assert.Equal(1, rig.Members.Count(static m => m.Core.Role == RaftRole.Leader));
        rig.AssertAgreed(1, 2, 3, 4);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Scenario22_OldAndNewOptionsTogetherElect(ulong old)
    {
        // One without PreVote, of a high term and with a short log, among others with it.
        RaftRig rig = new();
        for (ulong id = 1; id <= 3; id++)
        {
            rig.Add(id, Voters(1, 2, 3), id == old ? [] : LogOf(1, 1), id == old ? new HardState(20, default) : null, Standard with { PreVote = id != old });
        }

        rig.Pass(30 * T);
        Assert.NotEqual(old, rig.Leader.Id.Value);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario23_AMemberComesBackAsTheLeaderDies()
    {
        RaftRig rig = Led(3);
        rig.Isolate(3);
        rig[1].Propose("a");
        rig.Pass(10 * T);
        Assert.Equal(1UL, rig[3].Core.Term);
        rig.Heal();
        rig.Isolate(1);
        rig.Pass(10 * T);
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
        rig.AssertAgreed(2, 3);
    }
}
