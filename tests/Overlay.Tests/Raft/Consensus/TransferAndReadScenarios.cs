using Overlay.Raft;
using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 68 to 70: handing over, reads, forgetting a leader.</summary>
public sealed class TransferAndReadScenarios
{
    private static readonly TimeSpan T = Standard.ElectionTimeout;

    [Fact]
    public void Scenario68_ATransferToAMemberThatIsUpToDateOrMustCatchUp()
    {
        RaftRig rig = Led(3);
        Assert.True(rig[1].TransferTo(2));
        rig.Deliver();
        Assert.Equal((2UL, 2UL), (rig.Leader.Id.Value, rig[2].Core.Term));
        rig.Isolate(3);
        rig[2].Propose("a");
        rig.Deliver();
        rig.Heal();
        Assert.True(rig[2].TransferTo(3));
        Assert.Equal(ProposeStatus.Transferring, rig[2].Propose("b").Status);
        rig.Pass(T / 2);
        Assert.Equal(3UL, rig.Leader.Id.Value);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario68_ATransferToAMemberThatNeedsASnapshot()
    {
        RaftRig rig = Led(3);
        rig.Isolate(3);
        for (int i = 0; i < 5; i++)
        {
            rig[1].Propose($"x{i}");
        }

        rig.Deliver();
        rig[1].Compact(7);
        rig.Heal();
        Assert.True(rig[1].TransferTo(3));
        rig.Pass(T / 2);
        Assert.Equal(3UL, rig.Leader.Id.Value);
        rig.AssertAgreed(1, 2, 3);
    }

    [Fact]
    public void Scenario68_WhoIsNoTarget()
    {
        RaftRig rig = Led(3);
        rig[1].Change(new MemberChange(MemberChangeKind.AddLearner, new(9)));
        rig.Deliver();
        rig.Forget();
        Assert.False(rig[1].TransferTo(1));
        Assert.False(rig[1].TransferTo(7));
        Assert.False(rig[1].TransferTo(9));
        Assert.False(rig[2].TransferTo(3));
        Assert.Empty(rig.Sent);
        Assert.True(rig[1].Propose("a").IsAccepted);
    }

    [Fact]
    public void Scenario68_ATransferThatDoesNotSucceedIsGivenUp()
    {
        RaftRig rig = Led(3);
        rig.Isolate(3);
        rig[1].Propose("a");
        rig.Deliver();
        Assert.True(rig[1].TransferTo(3));
        rig.Pass(T * 0.7);

        // Asking again does not give it more time.
        Assert.True(rig[1].TransferTo(3));
        rig.Pass(T * 0.2);
        Assert.Equal(ProposeStatus.Transferring, rig[1].Propose("b").Status);
        rig.Pass(T * 0.2);
        Assert.True(rig[1].Propose("b").IsAccepted);
        Assert.Equal(RaftRole.Leader, rig[1].Core.Role);

        // Another target does, and takes the place.
        Assert.True(rig[1].TransferTo(3));
        rig.Pass(T * 0.7);
        Assert.True(rig[1].TransferTo(2));
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
    }

    [Fact]
    public void Scenario68_ATargetThatGoesEndsTheTransfer()
    {
        foreach (MemberChangeKind kind in new[] { MemberChangeKind.Remove, MemberChangeKind.AddLearner })
        {
            RaftRig rig = Led(4);
            rig.Isolate(4);
            Assert.True(rig[1].Change(new MemberChange(kind, new(4))).IsAccepted);
            Assert.True(rig[1].TransferTo(4));
            Assert.Equal(new MemberId(4), rig[1].Core.TransferTarget);
            rig.Deliver();
            Assert.True(rig[1].Core.TransferTarget.IsNone);
            Assert.True(rig[1].Propose("a").IsAccepted);
        }
    }

    [Fact]
    public void Scenario68_ALaterTermEndsTheTransfer()
    {
        RaftRig rig = Led(3, Plain);
        rig.IsManual = true;
        rig[1].Propose("a");
        rig[1].TransferTo(2);
        rig[1].Receive(Message(MessageKind.Vote, 3, 1, 2) with { Index = 9, LogTerm = 1 });
        Assert.Equal((RaftRole.Follower, MemberId.None), (rig[1].Core.Role, rig[1].Core.TransferTarget));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(4)]
    public void Scenario69_AReadSeesWhatWasCommittedWhenItWasAsked(ulong at)
    {
        RaftRig rig = Led(3);
        rig.Add(4, Configuration.Empty);
        rig[1].Change(new MemberChange(MemberChangeKind.AddLearner, new(4)));
        rig.Deliver();
        rig[1].Propose("a");
        rig.Deliver();
        ulong commit = rig[1].Core.CommitIndex;
        rig[at].Read(77);
        Assert.Empty(rig[at].Reads);
        rig.Deliver();
        Assert.Equal([new ReadResult(77, commit, false)], rig[at].Reads);
        Assert.All(rig.Members, static m => Assert.Equal(0, m.Core.PendingReads));
    }

    [Fact]
    public void Scenario69_ReadsShareARound()
    {
        RaftRig rig = Led(3);
        rig.Forget();
        rig.IsManual = true;
        for (ulong context = 1; context <= 100; context++)
        {
            rig[1].Read(context);
        }

        // The first one's question is on its way; the others wait for the next, which is one for all of them.
        Assert.Equal(2, rig.Sent.Count(static m => m.Kind == MessageKind.Heartbeat));
        rig.Deliver();
        Assert.Equal(4, rig.Sent.Count(static m => m.Kind == MessageKind.Heartbeat));
        Assert.Equal(100, rig[1].Reads.Count);
    }

    [Fact]
    public void Scenario69_ALeaderThatIsCutOffAnswersNoRead()
    {
        RaftRig rig = Led(3);
        rig.Isolate(1);
        rig[1].Read(5);
        rig[1].Propose("lost");
        rig.Pass(T * 0.5);
        Assert.Empty(rig[1].Reads);
        rig.Pass(5 * T);
        Assert.Equal([new ReadResult(5, 0, true)], rig[1].Reads);
        rig[1].Read(6);
        Assert.Equal(new ReadResult(6, 0, true), rig[1].Reads[^1]);
    }

    [Fact]
    public void Scenario69_BeforeTheFirstCommitOfItsTermALeaderWaits()
    {
        RaftRig rig = Led(3);
        rig[1].Propose("a");
        rig.Hook = static m => m.Kind != MessageKind.Append || m.Entries.Length > 0 || m.To.Value != 2;
        rig.Deliver();
        rig.Isolate(1);
        rig.Hook = static m => m.Kind != MessageKind.AppendResponse;
        rig.Pass(T);
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
        rig[2].Read(5);
        rig[3].Read(6);
        rig.Deliver();
        Assert.Empty(rig[2].Reads);
        Assert.Empty(rig[3].Reads);
        rig.Hook = static _ => true;
        rig.Pass(T / 2);
        Assert.Equal([new ReadResult(5, 3, false)], rig[2].Reads);
        Assert.Equal([new ReadResult(6, 3, false)], rig[3].Reads);
    }

    [Fact]
    public void Scenario69_ALateAnswerConfirmsNoLaterRead()
    {
        RaftRig rig = Led(3);
        rig.IsManual = true;
        rig[1].Read(1);
        RaftMessage late = rig.Take(MessageKind.Heartbeat, 2);
        rig[2].Receive(late);
        RaftMessage answer = rig.Take(MessageKind.HeartbeatResponse, 1);
        rig[3].Receive(rig.Take(MessageKind.Heartbeat, 3));
        rig[1].Receive(rig.Take(MessageKind.HeartbeatResponse, 1));
        Assert.Single(rig[1].Reads);

        // The second read has the same context, and the answer to the first arrives only now.
        rig[1].Read(1);
        rig[1].Receive(answer);
        Assert.Single(rig[1].Reads);
        rig.Deliver();
        Assert.Equal(2, rig[1].Reads.Count);
    }

    [Fact]
    public void Scenario69_AnAnswerToAFormerRequestIsNoneToTheSameContext()
    {
        RaftRig rig = Led(3);
        rig.IsManual = true;
        rig[3].Read(9);
        RaftMessage first = rig.Take(MessageKind.Read, 1);
        rig[1].Receive(first);
        rig.Queue.RemoveAll(static m => m.Kind == MessageKind.Heartbeat && m.To.Value == 3);
        rig.Deliver(rig.Take(MessageKind.Heartbeat, 2));
        rig.Deliver(rig.Take(MessageKind.HeartbeatResponse, 1));
        RaftMessage late = rig.Take(MessageKind.ReadResponse, 3);

        // Another leader has committed more, and 3 asks it.
        rig.Isolate(1);
        rig[2].Do((core, at, into) => core.ForgetLeader(at, into));
        rig[3].Do((core, at, into) => core.ForgetLeader(at, into));
        Assert.Equal([new ReadResult(9, 0, true)], rig[3].Reads);
        rig[2].Campaign();
        rig.Deliver();
        rig[2].Propose("new");
        rig.Deliver();
        rig[3].Read(9);
        rig[3].Receive(late);
        rig[3].Receive(late with { Term = rig[3].Core.Term });
        Assert.Single(rig[3].Reads);
        rig.Deliver();
        Assert.Equal(new ReadResult(9, 3, false), rig[3].Reads[^1]);
    }

    [Fact]
    public void Scenario69_ReadsThatNobodyAnswersAreLostInTime()
    {
        RaftRig rig = Led(3);
        rig.Ignore(MessageKind.ReadResponse);
        rig[2].Read(4);
        rig.Pass(T * 1.1);
        Assert.Equal([new ReadResult(4, 0, true)], rig[2].Reads);
        Assert.Equal(0, rig[2].Core.PendingReads);

        RaftRig few = Led(3, Standard with { MaxPendingReads = 2 });
        few.IsManual = true;
        for (ulong context = 0; context < 4; context++)
        {
            few[1].Read(context);
        }

        Assert.Equal([new ReadResult(3, 0, true)], few[1].Reads);
    }

    [Fact]
    public void Scenario69_AloneAReadNeedsNobody()
    {
        RaftRig rig = Led(1);
        rig[1].Read(3);
        Assert.Equal([new ReadResult(3, 1, false)], rig[1].Reads);
    }

    [Fact]
    public void Scenario70_AMajorityThatForgetsItsLeaderElectsAtOnce()
    {
        RaftRig rig = Led(3);
        rig.Pass(Standard.HeartbeatInterval);
        rig.Isolate(1);
        rig[2].Do((core, at, into) => core.ForgetLeader(at, into));
        rig[3].Do((core, at, into) => core.ForgetLeader(at, into));
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
    }

    [Fact]
    public void Scenario70_OneThatForgetsItsLeaderDisturbsNobody()
    {
        RaftRig rig = Led(3);
        rig[2].Do((core, at, into) => core.ForgetLeader(at, into));
        Assert.True(rig[2].Core.Leader.IsNone);
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal((RaftRole.Leader, 1UL), (rig[1].Core.Role, rig[1].Core.Term));
        rig.Pass(5 * T);
        Assert.Equal((RaftRole.Leader, 1UL, new MemberId(1)), (rig[1].Core.Role, rig[1].Core.Term, rig[2].Core.Leader));
    }
}
