using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 31 to 44: replication and commit.</summary>
public sealed class ReplicationScenarios
{
    [Fact]
    public void Scenario31_AnEntryIsCommittedWhenAMajorityHasItOnDisk()
    {
        RaftRig rig = Led(3);
        rig.IsManual = true;
        rig[2].CompletesWrites = false;
        rig.Forget();
        ProposeOutcome outcome = rig[1].Propose("a");
        Assert.Equal((ProposeStatus.Accepted, 2UL, 1UL), (outcome.Status, outcome.Index, outcome.Term));
        RaftMessage append = rig.Take(MessageKind.Append, 2);
        Assert.Equal((1UL, 1UL, 1UL, 1), (append.Index, append.LogTerm, append.Commit, append.Entries.Length));
        rig[2].Receive(append);
        Assert.DoesNotContain(rig.Sent, static m => m.Kind == MessageKind.AppendResponse);
        Assert.Equal(1UL, rig[1].Core.CommitIndex);
        rig[2].CompleteWrite();
        rig[1].Receive(rig.Take(MessageKind.AppendResponse, 1));
        Assert.Equal(2UL, rig[1].Core.CommitIndex);
        Assert.Equal("a", rig[1].State[^1]);
        Assert.Equal(1UL, rig[2].Core.CommitIndex);
        rig.Deliver();
        Assert.Equal(2UL, rig[2].Core.CommitIndex);
    }

    [Theory]
    [InlineData(3, 0, false)]
    [InlineData(3, 1, true)]
    [InlineData(4, 1, false)]
    [InlineData(4, 2, true)]
    [InlineData(5, 1, false)]
    [InlineData(5, 2, true)]
    public void Scenario32_OnlyAMajorityCommits(int count, int answers, bool committed)
    {
        RaftRig rig = Led(count);
        rig.Hook = m => m.Kind != MessageKind.AppendResponse || m.From.Value <= 1 + (ulong)answers;
        rig[1].Propose("a");
        rig.Deliver();
        Assert.Equal(committed ? 2UL : 1UL, rig[1].Core.CommitIndex);
    }

    [Fact]
    public void Scenario33_AnEntryCommitsThoseOfEarlierTermsBeforeIt()
    {
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2, 3), LogOf(1, 2, 2));
        rig.Add(2, Voters(1, 2, 3), LogOf(1));
        rig.Add(3, Voters(1, 2, 3));
        rig[1].Campaign();
        rig.Deliver();
        rig[1].Campaign();
        rig.Deliver();
        Assert.Equal(4UL, rig[1].Core.CommitIndex);
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal(["1.1", "2.2", "2.3", ""], rig[3].State);
    }

    [Fact]
    public void Scenario34_AnEntryOfAnEarlierTermIsNotCommittedByCounting()
    {
        // Raft, figure 8: 1 leads again, its old entry reaches a majority, and 3 may still win without it.
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2, 3), LogOf(1, 2), new(3, default), Plain);
        rig.Add(2, Voters(1, 2, 3), LogOf(1), new(3, default), Plain);
        rig.Add(3, Voters(1, 2, 3), LogOf(1, 3), new(3, default), Plain);
        rig.Isolate(3);
        rig.Hook = static m => m.Kind != MessageKind.Append || m.Entries.IsEmpty || m.Entries.Span[^1].Term < 4;
        rig[1].Campaign();
        rig.Deliver();
        RaftMessage only = rig.Sent.Last(static m => m.Kind == MessageKind.Append && m.To.Value == 2);
        rig[2].Receive(only with { Index = 1, LogTerm = 1, Entries = LogOf(1, 2).AsMemory(1) });
        rig.Deliver();
        Assert.Equal(2UL, rig[2].Core.TermAt(2));
        Assert.True(rig[1].Core.Status().Members[1].Match >= 2);
        Assert.Equal(0UL, rig[1].Core.CommitIndex);

        rig.Heal();
        rig.Isolate(1);
        rig[3].Campaign();
        rig.Deliver();
        rig[3].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[3].Core.Role);
        Assert.Equal(3UL, rig[2].Core.TermAt(2));
        rig.Heal();
        rig.Pass(Standard.ElectionTimeout);
        rig.AssertAgreed(1, 2, 3);
    }

    [Theory]
    [InlineData(new ulong[] { }, new ulong[] { 1 }, 1)]
    [InlineData(new ulong[] { 1 }, new ulong[] { 1, 2 }, 0)]
    [InlineData(new ulong[] { 2 }, new ulong[] { 1, 1, 2 }, 0)]
    [InlineData(new ulong[] { 3 }, new ulong[] { 1, 1, 2 }, 3)]
    [InlineData(new ulong[] { 0, 3 }, new ulong[] { 1, 1, 2 }, 3)]
    [InlineData(new ulong[] { 0, 2 }, new ulong[] { 1, 1, 2 }, 0)]
    [InlineData(new ulong[] { 0, 0 }, new ulong[] { 1, 1, 2 }, 0)]
    [InlineData(new ulong[] { 3, 0, 0 }, new ulong[] { 1, 1, 2 }, 0)]
    [InlineData(new ulong[] { 3, 3, 0 }, new ulong[] { 1, 1, 2 }, 3)]
    public void Scenario35_TheCommitIndexFollowsFromMatchesAndTerms(ulong[] others, ulong[] terms, ulong expected)
    {
        // The last term is the leader's own: its first entry. The leader's disk has everything.
        RaftRig rig = new();
        ulong[] ids = [.. Enumerable.Range(1, others.Length + 1).Select(static i => (ulong)i)];
        foreach (ulong id in ids)
        {
            rig.Add(id, Voters(ids), id == 1 ? LogOf(terms[..^1]) : [], new(terms[^1] - 1, default), Plain);
        }

        rig.Hook = static m => m.Kind is MessageKind.Vote or MessageKind.VoteResponse;
        rig[1].Campaign();
        rig.Deliver();
        Assert.Equal((RaftRole.Leader, terms[^1]), (rig[1].Core.Role, rig[1].Core.Term));
        Assert.Equal(terms, rig[1].LogTerms());
        for (int i = 0; i < others.Length; i++)
        {
            if (others[i] > 0)
            {
                rig[1].Receive(Message(MessageKind.AppendResponse, (ulong)i + 2, 1, terms[^1]) with { Index = others[i] });
            }
        }

        Assert.Equal(expected, rig[1].Core.CommitIndex);
    }

    [Theory]
    [InlineData(2, 3, 3, new ulong[] { }, true, new ulong[] { 1, 2 }, 0)]
    [InlineData(3, 3, 3, new ulong[] { }, true, new ulong[] { 1, 2 }, 0)]
    [InlineData(1, 1, 1, new ulong[] { }, false, new ulong[] { 1, 2 }, 1)]
    [InlineData(0, 0, 1, new ulong[] { 2 }, false, new ulong[] { 2 }, 1)]
    [InlineData(2, 2, 3, new ulong[] { 2, 2 }, false, new ulong[] { 1, 2, 2, 2 }, 3)]
    [InlineData(2, 2, 4, new ulong[] { 2 }, false, new ulong[] { 1, 2, 2 }, 3)]
    [InlineData(1, 1, 4, new ulong[] { 2 }, false, new ulong[] { 1, 2 }, 2)]
    [InlineData(1, 1, 3, new ulong[] { }, false, new ulong[] { 1, 2 }, 1)]
    [InlineData(2, 2, 3, new ulong[] { }, false, new ulong[] { 1, 2 }, 2)]
    public void Scenario36_WhatAFollowerDoesWithAnAppend(
        ulong index, ulong term, ulong commit, ulong[] entries, bool rejected, ulong[] log, ulong committed)
    {
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2, 3), LogOf(1, 2));
        LogEntry[] sent = [.. entries.Select((t, i) => new LogEntry(index + 1 + (ulong)i, t, default))];
        rig[1].Receive(Message(MessageKind.Append, 2, 1, 3) with { Index = index, LogTerm = term, Commit = commit, Entries = sent });
        Assert.Equal(rejected, rig.Sent.Single().Reject);
        Assert.Equal(log, rig[1].LogTerms());
        Assert.Equal(log, rig[1].Disk.Select(static e => e.Term));
        Assert.Equal(committed, rig[1].Core.CommitIndex);
    }

    public static TheoryData<ulong[]> Figure7 => new()
    {
        new ulong[] { 1, 1, 1, 4, 4, 5, 5, 6, 6 },
        new ulong[] { 1, 1, 1, 4 },
        new ulong[] { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6 },
        new ulong[] { 1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7 },
        new ulong[] { 1, 1, 1, 4, 4, 4, 4 },
        new ulong[] { 1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3 },
    };

    [Theory]
    [MemberData(nameof(Figure7))]
    public void Scenario37_EveryLogOfFigure7BecomesTheLeaders(ulong[] log)
    {
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2, 3), LogOf(1, 1, 1, 4, 4, 5, 5, 6, 6, 6), new(7, default), Plain);
        rig.Add(2, Voters(1, 2, 3), LogOf(log), new(7, default), Plain);
        rig.Add(3, Voters(1, 2, 3), [], new(7, default), Plain);
        rig[1].Campaign();
        rig.Deliver();
        rig[1].Propose("a");
        rig.Deliver();
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal([1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8, 8], rig[2].LogTerms());
        Assert.Equal(rig[1].Disk.Select(static e => (e.Index, e.Term)), rig[2].Disk.Select(static e => (e.Index, e.Term)));
    }

    [Fact]
    public void Scenario38_AHeartbeatNeverLowersTheCommitIndex()
    {
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2), LogOf(1, 2, 3));
        RaftMessage beat = Message(MessageKind.Heartbeat, 2, 1, 3);
        rig[1].Receive(beat with { Commit = 2 });
        Assert.Equal(2UL, rig[1].Core.CommitIndex);
        rig[1].Receive(beat with { Commit = 1 });
        Assert.Equal(2UL, rig[1].Core.CommitIndex);
        rig[1].Receive(beat with { Commit = 3 });
        Assert.Equal(3UL, rig[1].Core.CommitIndex);
        Assert.Throws<Overlay.Primitives.InvariantException>(() => rig[1].Receive(beat with { Commit = 4 }));
    }

    [Fact]
    public void Scenario39_AnAppendOfAnEarlierTermDoesNotReachANewLeader()
    {
        RaftRig rig = Led(3);
        rig.IsManual = true;
        rig[1].Propose("late");
        RaftMessage late = rig.Take(MessageKind.Append, 2);
        rig.Forget();
        rig.IsManual = false;
        rig.Isolate(1);
        rig[2].Core.ForgetLeader(rig.Now, new());
        rig[3].Core.ForgetLeader(rig.Now, new());
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
        ulong[] before = [.. rig[2].LogTerms()];
        rig[2].Receive(late);
        Assert.Equal(before, rig[2].LogTerms());
        Assert.Equal(2UL, rig[2].Core.Term);
    }

    [Fact]
    public void Scenario40_OnlyTheLeaderTakesProposals()
    {
        // Elsewhere a follower's proposal is forwarded. Here it is refused with the leader's id: the store's callers forward,
        // with an id of the request by which they find out what became of it.
        RaftRig rig = Of(3);
        Assert.Equal(new ProposeOutcome(ProposeStatus.NotLeader, 0, 0, MemberId.None), rig[2].Propose("a"));
        rig[1].Campaign();
        rig.Deliver();
        Assert.Equal(new ProposeOutcome(ProposeStatus.NotLeader, 0, 1, new(1)), rig[2].Propose("a"));
        rig.Deliver();
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal(1UL, rig[1].Core.LastIndex);
    }

    [Fact]
    public void Scenario41_AppendsOutOfOrderAndLateRefusals()
    {
        RaftRig rig = Led(2);
        rig.IsManual = true;
        rig.Forget();
        rig[1].Propose("a");
        RaftMessage first = rig.Take(MessageKind.Append, 2);
        rig[1].Propose("b");
        RaftMessage second = rig.Take(MessageKind.Append, 2);
        rig[2].Receive(second);
        RaftMessage refusal = rig.Take(MessageKind.AppendResponse, 1);
        Assert.Equal((true, 2UL, 1UL), (refusal.Reject, refusal.Index, refusal.RejectHint));
        rig[2].Receive(first);
        rig[1].Receive(rig.Take(MessageKind.AppendResponse, 1));
        Assert.Equal((2UL, 4UL), (Peer(rig).Match, Peer(rig).Next));

        // The refusal is older than what was acknowledged: it is about the entry behind, and nothing below is sent again.
        rig[1].Receive(refusal);
        Assert.Equal((2UL, 4UL), (Peer(rig).Match, Peer(rig).Next));
        rig.Forget();
        rig[1].Receive(refusal with { Index = 3 });
        Assert.Equal((2UL, ProgressState.Probe), (Peer(rig).Match, Peer(rig).State));
        Assert.Equal(2UL, rig.Take(MessageKind.Append, 2).Index);
        rig.Pass(Standard.ElectionTimeout / 2);
        rig.Deliver();
        rig.Pass(Standard.ElectionTimeout / 2);
        rig.Deliver();
        rig.AssertAgreed(1, 2);
    }

    [Theory]
    [InlineData(new ulong[] { 1, 2, 2, 4, 4, 4, 4 }, new ulong[] { 1, 2, 2, 3, 3, 3, 3, 3 }, 7, 3, 3)]
    [InlineData(new ulong[] { 1, 2, 2, 4, 4, 4, 5, 5 }, new ulong[] { 1, 2, 2, 4, 4, 4, 4, 4 }, 8, 4, 6)]
    [InlineData(new ulong[] { 1, 1, 1, 1, 1 }, new ulong[] { 1, 1, 1, 4 }, 3, 1, 3)]
    [InlineData(new ulong[] { 1, 1, 1, 5, 5, 5, 5 }, new ulong[] { 1, 1, 1, 4 }, 4, 4, 3)]
    [InlineData(new ulong[] { 1, 1, 1, 1, 1, 5 }, new ulong[] { 1, 1, 1, 4, 4 }, 5, 4, 5)]
    [InlineData(new ulong[] { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 }, new ulong[] { 1, 1, 1, 4 }, 3, 1, 3)]
    [InlineData(new ulong[] { 1, 1, 1, 2, 2, 2, 2 }, new ulong[] { 1 }, 1, 1, 1)]
    [InlineData(new ulong[] { 1, 1, 1, 3, 3, 3, 3, 7 }, new ulong[] { 1, 1, 1, 3, 3, 3, 3, 4, 4, 6 }, 8, 4, 7)]
    [InlineData(new ulong[] { 1, 3, 3, 5 }, new ulong[] { 2, 2, 2, 2, 2, 4 }, 4, 2, 1)]
    public void Scenario42_BothSidesSkipWholeTerms(ulong[] leads, ulong[] follows, ulong hint, ulong hintTerm, ulong probe)
    {
        ulong term = Math.Max(leads[^1], follows[^1]);
        RaftRig rig = new();
        rig.Add(1, Voters(1, 2, 3), LogOf(leads), new(term, default), Plain);
        rig.Add(2, Voters(1, 2, 3), LogOf(follows), new(term, default), Plain);
        rig.Add(3, Voters(1, 2, 3), [], new(term, default), Plain);
        rig.Hook = static m => m.Kind is MessageKind.Vote or MessageKind.VoteResponse;
        rig[1].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Hook = static _ => true;
        rig.IsManual = true;

        // The first Append begins behind what was the leader's log before its election.
        RaftMessage append = rig.Sent.First(static m => m.Kind == MessageKind.Append && m.To.Value == 2);
        Assert.Equal((ulong)leads.Length, append.Index);
        rig[2].Receive(append);
        RaftMessage answer = rig.Take(MessageKind.AppendResponse, 1);
        Assert.Equal((true, hint, hintTerm), (answer.Reject, answer.RejectHint, answer.LogTerm));
        rig.Forget();
        rig[1].Receive(answer);
        Assert.Equal(probe, rig.Sent.Single().Index);
        rig.Deliver();
        rig[1].Advance();
        rig.IsManual = false;
        rig.Pass(Plain.ElectionTimeout / 2);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario42_AFollowerThatHasCompactedGivesItsCommittedEnd()
    {
        RaftRig rig = Led(3);
        rig[1].Propose("a");
        rig[1].Propose("b");
        rig.Deliver();
        rig[2].Compact(4);
        rig.Forget();
        rig.IsManual = true;
        rig[2].Receive(Message(MessageKind.Append, 1, 2, 1) with { Index = 9, LogTerm = 1, Commit = 3 });
        Assert.Equal((true, 3UL, 1UL), (rig.Sent[0].Reject, rig.Sent[0].RejectHint, rig.Sent[0].LogTerm));
        rig[2].Receive(Message(MessageKind.Append, 1, 2, 1) with { Index = 9, LogTerm = 0, Commit = 3 });
        Assert.Equal((true, 0UL), (rig.Sent[1].Reject, rig.Sent[1].LogTerm));
    }

    [Fact]
    public void Scenario43_ALostCommitIndexComesWithTheNextMessage()
    {
        RaftRig rig = Led(3);
        rig[1].Propose("a");
        rig.Hook = static m => m.Kind != MessageKind.Append || !m.Entries.IsEmpty;
        rig.Deliver();
        Assert.Equal((2UL, 1UL), (rig[1].Core.CommitIndex, rig[2].Core.CommitIndex));
        rig.Heal();
        rig.Pass(Standard.HeartbeatInterval);
        rig.AssertAgreed(1, 2, 3);
        rig.Hook = static m => m.Kind != MessageKind.Append || !m.Entries.IsEmpty;
        rig[1].Propose("b");
        rig.Deliver();
        rig.Heal();
        rig[1].Propose("c");
        rig.Deliver();
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario44_ASingleMemberAppliesNothingThatIsNotOnItsDisk()
    {
        RaftRig rig = Led(1);
        rig[1].CompletesWrites = false;
        rig[1].Propose("a");
        Assert.Equal((1UL, 1), (rig[1].Core.CommitIndex, rig[1].State.Count));
        rig[1].Restart();
        rig[1].CompletesWrites = true;
        rig.Pass(3 * Standard.ElectionTimeout);
        Assert.DoesNotContain("a", rig[1].State);
        rig[1].CompletesWrites = false;
        rig[1].Propose("b");
        Assert.DoesNotContain("b", rig[1].State);
        rig[1].CompleteWrite();
        Assert.Equal("b", rig[1].State[^1]);
    }

    private static MemberProgress Peer(RaftRig rig) => rig[1].Core.Status().Members[1];
}
