using System.Text;
using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 71 and 72, and what follows from writes that take time.</summary>
public sealed class StorageScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;

    [Fact]
    public void Scenario71_AnswersGoInOrderAsWritesComplete()
    {
        RaftRig rig = Led(3);
        rig.IsManual = true;
        rig[2].CompletesWrites = false;
        rig.Forget();
        for (int i = 0; i < 3; i++)
        {
            rig[1].Propose($"x{i}");
            rig[2].Receive(rig.Take(MessageKind.Append, 2));
        }

        Assert.Equal(3, rig[2].Writes.Count);
        for (ulong index = 2; index <= 4; index++)
        {
            rig[2].CompleteWrite();
            Assert.Equal(index, rig.Sent.Last(static m => m.Kind == MessageKind.AppendResponse).Index);
            Assert.Equal(index, rig[2].Core.DurableIndex);
        }

        Assert.Equal(3, rig.Sent.Count(static m => m.Kind == MessageKind.AppendResponse));
    }

    [Fact]
    public void Scenario71_WhatComesWhileTheDiskIsBusyGoesInOneWrite()
    {
        RaftRig rig = Led(2, Standard with { MaxOutstandingWrites = 2 });
        rig.IsManual = true;
        rig[2].CompletesWrites = false;
        rig.Forget();
        for (int i = 0; i < 10; i++)
        {
            rig[1].Propose($"x{i}");
            rig[2].Receive(rig.Take(MessageKind.Append, 2));
        }

        Assert.Equal([1, 1], rig[2].Writes.Select(static w => w.Entries.Length));
        rig[2].CompleteWrite();
        Assert.Equal([1, 8], rig[2].Writes.Select(static w => w.Entries.Length));
        rig[2].CompleteWrite();
        rig[2].CompleteWrite();
        Assert.Equal([2UL, 3UL, 11UL], rig.Sent.Where(static m => m.Kind == MessageKind.AppendResponse).Select(static m => m.Index));
    }

    [Fact]
    public void Scenario71_AWriteWhoseEntriesWereCutOffMakesNothingDurable()
    {
        // Entries 1..3 of term 1 are being written when a leader of term 2 replaces them, and one of term 3 brings the first
        // ones back. The first write's end says nothing about what is in the log now, though it holds the same entries.
        RaftRig rig = new();
        RaftFake member = rig.Add(2, Voters(1, 2, 3));
        member.CompletesWrites = false;
        LogEntry[] first = LogOf(1, 1, 1);
        member.Receive(Message(MessageKind.Append, 1, 2, 1) with { Entries = first });
        member.Receive(Message(MessageKind.Append, 3, 2, 2) with { Entries = LogOf(2, 2) });
        member.Receive(Message(MessageKind.Append, 1, 2, 3) with { Entries = first });
        Assert.Equal([0UL, 1UL, 1UL], member.Writes.Select(static w => w.TruncateFrom));
        Assert.Empty(rig.Sent);
        member.CompleteWrite();
        Assert.Equal(0UL, member.Core.DurableIndex);
        Assert.Empty(rig.Sent);
        member.CompleteWrite();
        Assert.Equal(0UL, member.Core.DurableIndex);
        Assert.Empty(rig.Sent);
        member.CompleteWrite();
        Assert.Equal((3UL, 3UL), (member.Core.DurableIndex, rig.Sent.Single().Index));
        Assert.Equal([1UL, 1UL, 1UL], member.Disk.Select(static e => e.Term));
    }

    [Fact]
    public void Scenario71_WhatWasWrittenInPartIsKept()
    {
        RaftRig rig = new();
        RaftFake member = rig.Add(2, Voters(1, 2, 3));
        member.CompletesWrites = false;
        member.Receive(Message(MessageKind.Append, 1, 2, 1) with { Entries = LogOf(1, 1, 1) });
        member.Receive(Message(MessageKind.Append, 3, 2, 2) with { Index = 2, LogTerm = 1, Entries = LogOf(1, 1, 2).AsMemory(2) });
        member.CompleteWrite();
        Assert.Equal(2UL, member.Core.DurableIndex);
        member.CompleteWrite();
        Assert.Equal(3UL, member.Core.DurableIndex);
    }

    [Fact]
    public void Scenario71_NothingIsAppliedBeforeItIsDurableHere()
    {
        RaftRig rig = Led(3);
        rig[1].CompletesWrites = false;
        rig[1].Propose("a");
        rig.Deliver();
        Assert.Equal((2UL, 1UL), (rig[1].Core.CommitIndex, rig[1].Core.AppliedIndex));
        Assert.Equal(2UL, rig[2].Core.AppliedIndex);
        rig[1].CompleteWrite();
        Assert.Equal(2UL, rig[1].Core.AppliedIndex);
    }

    [Fact]
    public void Scenario71_AVoteGoesOnlyWhenItIsDurable()
    {
        RaftRig rig = Of(3, Plain);
        rig.IsManual = true;
        rig[1].CompletesWrites = false;
        rig[2].CompletesWrites = false;
        rig[1].Campaign();

        // The request claims a log and a term: neither may be less after a crash.
        Assert.Empty(rig.Sent);
        rig[1].CompleteWrite();
        rig[2].Receive(rig.Take(MessageKind.Vote, 2));
        Assert.DoesNotContain(rig.Sent, static m => m.Kind == MessageKind.VoteResponse);
        rig[2].CompleteWrite();
        Assert.Contains(rig.Sent, static m => m.Kind == MessageKind.VoteResponse && !m.Reject);
        Assert.Equal(new HardState(1, new(1)), rig[2].DiskState);
    }

    [Fact]
    public void Scenario71_AHungDiskGivesTheLeadershipAway()
    {
        RaftRig rig = Led(3);
        rig[1].CompletesWrites = false;
        rig[1].Propose("a");
        rig.Deliver();
        Assert.Equal(2UL, rig[2].Core.AppliedIndex);
        rig.Pass(T * 0.95);
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);
        rig.Pass(T * 0.1);
        Assert.NotEqual(1UL, rig.Leader.Id.Value);
        Assert.Equal(2UL, rig.Leader.Core.Term);
        rig.Pass(10 * T);
        Assert.Equal((RaftRole.Follower, 2UL), (rig[1].Core.Role, rig.Leader.Core.Term));
        rig[1].CompletesWrites = true;
        rig[1].CompleteWrite();
        rig.Pass(T);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario72_ARestartGoesOnWhereTheDiskIs()
    {
        RaftRig rig = Led(3);
        for (int i = 0; i < 10; i++)
        {
            rig[1].Propose($"x{i}");
        }

        rig.Deliver();
        rig[2].Compact(9);
        rig[2].Restart();
        Assert.Equal((11UL, 11UL, 11UL, 1UL), (rig[2].Core.LastIndex, rig[2].Core.CommitIndex, rig[2].Core.AppliedIndex, rig[2].Core.Term));
        Assert.Equal((10UL, 1UL), (rig[2].Core.FirstIndex, rig[2].Core.TermAt(9)));
        rig[1].Propose("y");
        rig.Deliver();
        rig.Pass(T);
        Assert.Equal([12UL], rig[2].Applied.Select(static e => e.Index));
        rig.AssertAgreed(1, 2, 3);
        rig[3].Restart();
        Assert.Equal((12UL, 0UL), (rig[3].Core.LastIndex, rig[3].Core.CommitIndex));
        rig.Pass(T);
        Assert.Equal(Enumerable.Range(1, 12).Select(static i => (ulong)i), rig[3].Applied.Select(static e => e.Index));
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario72_BatchesAreBoundedAndFollowEachOther()
    {
        RaftOptions options = Standard with { MaxApplyBytes = 25, MaxApplyEntries = 3 };
        RaftRig rig = Led(1, options);
        rig[1].Applies = false;
        for (int i = 0; i < 8; i++)
        {
            rig[1].Propose(new string('x', i < 4 ? 10 : i == 4 ? 100 : 1), settle: false);
        }

        rig[1].Advance();

        List<int> sizes = [];
        while (rig[1].Open is { } batch)
        {
            sizes.Add(batch.Entries.Length);
            rig[1].ApplyOpen();
        }

        Assert.Equal([2, 2, 1, 3], sizes);
        rig.AssertAgreed(1);
    }

    [Fact]
    public void StatesThatDifferAreNoticed()
    {
        RaftRig rig = Led(3);
        rig[3].Corruption = 1;
        rig[1].Propose("a");
        rig.Deliver();
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Empty(rig[2].Diverged);
        Divergence first = rig[3].Diverged[0];
        Assert.Equal((new MemberId(1), 2UL), (first.Member, first.Index));
        Assert.NotEqual(first.Ours, first.Theirs);
    }

    [Fact]
    public void AMemberThatLagsIsComparedWhenItGetsThere()
    {
        RaftRig rig = Led(3);
        rig[3].Applies = false;
        rig[1].Propose("a");
        rig.Deliver();
        rig.Pass(Standard.HeartbeatInterval);
        rig[3].Corruption = 1;
        Assert.Empty(rig[3].Diverged);
        rig[3].ApplyOpen();
        Assert.NotEmpty(rig[3].Diverged);
    }

    [Fact]
    public void MessagesForAnotherDiskOrFromNobodyAreIgnored()
    {
        RaftRig rig = Of(3);
        RaftMessage append = Message(MessageKind.Append, 2, 1, 5) with { Entries = LogOf(5) };
        rig[1].Receive(append with { To = new(9) });
        rig[1].Receive(append with { From = MemberId.None });
        rig[1].Receive(append with { From = new(1) });
        Assert.Equal((0UL, 0UL), (rig[1].Core.Term, rig[1].Core.LastIndex));

        // Of this term and by the leader, but not in order: no log can hold them.
        rig[1].Receive(append with { Entries = new LogEntry[] { new(2, 5, Encoding.UTF8.GetBytes("x")) } });
        rig[1].Receive(append with { Entries = LogOf(5, 4) });
        rig[1].Receive(append with { Entries = LogOf(6) });
        Assert.Equal((5UL, 0UL), (rig[1].Core.Term, rig[1].Core.LastIndex));
    }
}
