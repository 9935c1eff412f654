using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 1 to 12: terms, roles, elections.</summary>
public sealed class TermsAndRolesScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;

    [Theory]
    [InlineData(RaftRole.Follower)]
    [InlineData(RaftRole.PreCandidate)]
    [InlineData(RaftRole.Candidate)]
    [InlineData(RaftRole.Leader)]
    public void Scenario01_AnyRoleFollowsALaterTerm(RaftRole role)
    {
        RaftRig rig = InRole(role, role == RaftRole.PreCandidate ? Standard : Plain);
        rig[1].Receive(Message(MessageKind.Append, 2, 1, 9));
        Assert.Equal(RaftRole.Follower, rig[1].Core.Role);
        Assert.Equal((9UL, new MemberId(2)), (rig[1].Core.Term, rig[1].Core.Leader));
        Assert.True(rig[1].Core.Vote.IsNone);
    }

    [Theory]
    [InlineData(RaftRole.Follower)]
    [InlineData(RaftRole.Candidate)]
    [InlineData(RaftRole.Leader)]
    public void Scenario02_AnEarlierTermsAppendIsIgnored(RaftRole role)
    {
        RaftRig rig = InRole(role, Plain);
        rig[1].Receive(Message(MessageKind.Heartbeat, 2, 1, 5));
        rig.Forget();
        ulong last = rig[1].Core.LastIndex;
        rig[1].Receive(Message(MessageKind.Append, 3, 1, 4) with { Index = 0, Entries = LogOf(4, 4, 4) });
        Assert.Equal(last, rig[1].Core.LastIndex);
        Assert.Equal(new MemberId(2), rig[1].Core.Leader);

        // Its sender learns that its term is over.
        RaftMessage answer = Assert.Single(rig.Sent);
        Assert.Equal((MessageKind.AppendResponse, true, 5UL), (answer.Kind, answer.Reject, answer.Term));
    }

    [Fact]
    public void Scenario16_ARefusedVoteTellsTheCandidateWhatIsCommittedAndALeaderNothing()
    {
        RaftRig rig = Led(3);
        rig.Cut(1, 3);
        rig.Cut(1, 2);
        rig[1].Propose("a");
        ulong commit = rig[1].Core.CommitIndex;
        ulong last = rig[1].Core.LastIndex;
        RaftMessage refusal = Message(MessageKind.VoteResponse, 3, 1, rig[1].Core.Term) with
        {
            Reject = true,
            Index = last,
            LogTerm = rig[1].Core.Term,
        };
        Assert.True(last > commit);
        rig[1].Receive(refusal);
        Assert.Equal(commit, rig[1].Core.CommitIndex);
        rig[1].Receive(Message(MessageKind.Heartbeat, 2, 1, rig[1].Core.Term + 1));
        rig[1].Receive(refusal with { Term = rig[1].Core.Term });
        Assert.Equal(last, rig[1].Core.CommitIndex);
    }

    [Fact]
    public void Scenario03_AMemberStartsAsFollower()
    {
        RaftFake member = Of(3)[1];
        Assert.Equal(RaftRole.Follower, member.Core.Role);
        Assert.True(member.Core.Leader.IsNone);
        Assert.Equal(0UL, member.Core.Term);
    }

    [Fact]
    public void Scenario04_ALeadersHeartbeatGoesToEveryMember()
    {
        RaftRig rig = Led(3);
        rig.Cut(1, 3);
        rig[1].Propose("a");
        rig.Deliver();
        rig.Forget();
        rig.IsManual = true;
        rig.Pass(Standard.HeartbeatInterval);
        RaftMessage[] beats = [.. rig.Sent.Where(static m => m.Kind == MessageKind.Heartbeat)];
        Assert.Equal([2UL, 3UL], beats.Select(static m => m.To.Value));
        Assert.All(beats, static m => Assert.Equal((0UL, 0), (m.Index, m.Entries.Length)));

        // 3 has acknowledged the blank entry only: no more may be committed there.
        Assert.Equal([2UL, 1UL], beats.Select(static m => m.Commit));
    }

    [Theory]
    [InlineData(RaftRole.Follower)]
    [InlineData(RaftRole.Candidate)]
    public void Scenario05_ATimeoutBeginsATermWithAVoteForItself(RaftRole role)
    {
        RaftRig rig = InRole(role, Plain);
        ulong term = rig[1].Core.Term;
        rig.Skip(2 * T);
        rig[1].Advance();
        Assert.Equal((RaftRole.Candidate, term + 1, new MemberId(1)), (rig[1].Core.Role, rig[1].Core.Term, rig[1].Core.Vote));
        Assert.Equal([2UL, 3UL], rig.Sent.Select(static m => m.To.Value));
        Assert.All(rig.Sent, m => Assert.Equal((MessageKind.Vote, term + 1, 0UL, 0UL), (m.Kind, m.Term, m.Index, m.LogTerm)));
    }

    [Theory]
    [InlineData(1, 0, 0, RaftRole.Leader)]
    [InlineData(3, 0, 0, RaftRole.Candidate)]
    [InlineData(3, 1, 0, RaftRole.Leader)]
    [InlineData(3, 0, 1, RaftRole.Candidate)]
    [InlineData(3, 0, 2, RaftRole.Follower)]
    [InlineData(5, 1, 0, RaftRole.Candidate)]
    [InlineData(5, 2, 0, RaftRole.Leader)]
    [InlineData(5, 1, 2, RaftRole.Candidate)]
    [InlineData(5, 1, 3, RaftRole.Follower)]
    [InlineData(5, 0, 3, RaftRole.Follower)]
    [InlineData(4, 1, 0, RaftRole.Candidate)]
    [InlineData(4, 0, 2, RaftRole.Follower)]
    public void Scenario06_AMajorityOfVotesDecides(int count, int granted, int refused, RaftRole expected)
    {
        RaftRig rig = Of(count, Plain);
        rig.IsManual = true;
        rig[1].Campaign();
        for (int i = 0; i < granted + refused; i++)
        {
            RaftMessage vote = Message(MessageKind.VoteResponse, (ulong)i + 2, 1, 1) with { Reject = i >= granted };
            rig[1].Receive(vote);

            // Saying it twice does not make it two.
            rig[1].Receive(vote);
        }

        Assert.Equal(expected, rig[1].Core.Role);
    }

    [Fact]
    public void Scenario07_TwoCandidatesOfOneTermGetOneVote()
    {
        RaftRig rig = Of(3, Plain);
        rig.IsManual = true;
        rig[1].Receive(Message(MessageKind.Vote, 2, 1, 1));
        rig[1].Receive(Message(MessageKind.Vote, 3, 1, 1));
        rig[1].Receive(Message(MessageKind.Vote, 2, 1, 1));
        Assert.Equal([(2UL, false), (3UL, true), (2UL, false)], rig.Sent.Select(static m => (m.To.Value, m.Reject)));
        rig[1].Restart();
        rig[1].Receive(Message(MessageKind.Vote, 3, 1, 1));
        Assert.True(rig.Sent[^1].Reject);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Scenario08_ACandidateConcedesToALeaderOfItsTermOrALaterOne(ulong term)
    {
        RaftRig rig = InRole(RaftRole.Candidate, Plain);
        rig[1].Receive(Message(MessageKind.Append, 3, 1, term) with { Entries = LogOf(term) });
        Assert.Equal((RaftRole.Follower, term, new MemberId(3)), (rig[1].Core.Role, rig[1].Core.Term, rig[1].Core.Leader));
        Assert.Equal(1UL, rig[1].Core.LastIndex);
    }

    [Fact]
    public void Scenario09_TimeoutsAreSpreadOverTheWholeRange()
    {
        int[] tenths = new int[10];
        int collisions = 0;
        for (ulong seed = 0; seed < 1000; seed++)
        {
            RaftRig rig = Of(5, seed: seed * 77);
            TimeSpan[] timeouts = [.. rig.Members.Select(m => m.Core.NextDeadline - rig.Now).Order()];
            Assert.All(timeouts, static t => Assert.InRange(t, T, 2 * T));
            Array.ForEach(timeouts, t => tenths[Math.Min(9, (int)((t - T) / T * 10))]++);

            // Nobody has a heartbeat's time to win before the next one wakes up.
            collisions += timeouts[1] - timeouts[0] < T / 20 ? 1 : 0;
        }

        Assert.All(tenths, static count => Assert.InRange(count, 350, 650));
        Assert.InRange(collisions, 1, 300);
    }

    [Theory]
    [InlineData(1, 1, true)]
    [InlineData(2, 1, true)]
    [InlineData(3, 1, true)]
    [InlineData(2, 2, false)]
    [InlineData(3, 2, false)]
    [InlineData(1, 2, true)]
    [InlineData(1, 3, false)]
    public void Scenario10_ALessCompleteLogGetsNoVote(ulong index, ulong term, bool refused)
    {
        foreach (MessageKind kind in new[] { MessageKind.Vote, MessageKind.PreVote })
        {
            RaftRig rig = new();
            rig.Add(1, Voters(1, 2, 3), LogOf(1, 2), options: Plain);
            rig[1].Receive(Message(kind, 2, 1, 3) with { Index = index, LogTerm = term });
            Assert.Equal(refused, rig.Sent.Single().Reject);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario11_AloneNobodyLeads(bool preVote)
    {
        RaftRig rig = Of(3, Standard with { PreVote = preVote });
        rig.Cut(1, 2);
        rig.Cut(1, 3);
        rig.Cut(2, 3);
        rig.Pass(TimeSpan.FromSeconds(20));
        Assert.All(rig.Members, static m => Assert.NotEqual(RaftRole.Leader, m.Core.Role));
        Assert.All(rig.Members, m => Assert.Equal(preVote, m.Core.Term == 0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Scenario12_EachInTurnCanLead(bool preVote)
    {
        RaftRig rig = Of(3, Plain with { PreVote = preVote });
        for (ulong round = 0; round < 6; round++)
        {
            ulong id = 1 + (round % 3);
            rig[id].Campaign();
            rig.Deliver();
            Assert.Equal(id, rig.Leader.Id.Value);
            Assert.Equal(round + 1, rig[id].Core.Term);
            Assert.All(rig.Members, m => Assert.Equal(new MemberId(id), m.Core.Leader));
            rig.AssertAgreed(1, 2, 3);
        }
    }
}
