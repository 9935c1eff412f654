using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Scenarios 45 to 51: flow control.</summary>
public sealed class FlowControlScenarios
{
    [Fact]
    public void Scenario45_AProbeIsOneAppendForEachHeartbeat()
    {
        RaftRig rig = Led(2);
        rig.IsManual = true;
        rig[1].Core.Unreachable(new(2));
        rig.Forget();
        for (int i = 0; i < 5; i++)
        {
            rig[1].Propose($"x{i}");
        }

        Assert.Equal(1, Appends(rig));
        for (int round = 2; round < 5; round++)
        {
            rig.Pass(Standard.HeartbeatInterval);
            Assert.Equal(round - 1, Appends(rig));
            rig[1].Receive(Message(MessageKind.HeartbeatResponse, 2, 1, 1));
            rig[1].Propose("y");
            Assert.Equal(round, Appends(rig));
        }
    }

    [Fact]
    public void Scenario46_TheWindowIsBoundedAndSlidesWithAcknowledgements()
    {
        RaftRig rig = Led(2, Standard with { MaxInflightMessages = 4 });
        rig.IsManual = true;
        rig.Forget();
        for (int i = 0; i < 8; i++)
        {
            rig[1].Propose($"x{i}");
        }

        Assert.Equal(4, Appends(rig));
        Assert.Equal((6UL, 4), (Peer(rig).Next, Peer(rig).Inflight));

        // Two are acknowledged by one answer; what waited goes in one message.
        rig[1].Receive(Ack(3));
        Assert.Equal((10UL, 3), (Peer(rig).Next, Peer(rig).Inflight));
        Assert.Equal(4, rig.Sent[^1].Entries.Length);
        rig[1].Receive(Ack(2));
        Assert.Equal((10UL, 3), (Peer(rig).Next, Peer(rig).Inflight));
        rig[1].Receive(Ack(9));
        Assert.Equal(0, Peer(rig).Inflight);
    }

    [Fact]
    public void Scenario47_AFullWindowGetsOneEmptyAppendForEachHeartbeat()
    {
        RaftRig rig = Led(2, Standard with { MaxInflightMessages = 2 });
        rig.IsManual = true;
        for (int i = 0; i < 5; i++)
        {
            rig[1].Propose($"x{i}");
        }

        for (int round = 0; round < 3; round++)
        {
            rig.Forget();
            rig[1].Receive(Message(MessageKind.HeartbeatResponse, 2, 1, 1));
            rig[1].Propose("y");
            RaftMessage append = rig.Sent.Single(static m => m.Kind == MessageKind.Append);
            Assert.Equal((3UL, 0), (append.Index, append.Entries.Length));
        }
    }

    [Theory]
    [InlineData(1000, 9000, 9)]
    [InlineData(5000, 9000, 2)]
    [InlineData(20000, 9000, 1)]
    public void Scenario48_TheWindowIsBoundedInBytesToo(int size, long cap, int messages)
    {
        RaftRig rig = Led(2, Standard with { MaxInflightBytes = cap });
        rig.IsManual = true;
        rig.Forget();
        for (int i = 0; i < 20; i++)
        {
            rig[1].Propose(new string('x', size));
        }

        Assert.Equal(messages, Appends(rig));
    }

    [Fact]
    public void Scenario48_AMessageIsBoundedInBytes()
    {
        RaftRig rig = Led(2, Standard with { MaxMessageBytes = 2500 });
        rig.IsManual = true;
        rig[1].Core.Unreachable(new(2));
        rig[1].Propose(new string('x', 5000), settle: false);
        for (int i = 0; i < 5; i++)
        {
            rig[1].Propose(new string('y', 1000), settle: false);
        }

        rig.Forget();
        rig[1].Advance();
        Assert.Equal([1], rig.Sent.Select(static m => m.Entries.Length));
        rig.Forget();
        rig[1].Receive(Ack(2));
        Assert.Equal([2, 2, 1], rig.Sent.Where(static m => m.Kind == MessageKind.Append).Select(static m => m.Entries.Length));
    }

    [Fact]
    public void Scenario49_WhoCannotBeReachedIsProbedFromWhatItHas()
    {
        RaftRig rig = Led(2);
        rig.IsManual = true;
        rig[1].Propose("a");
        rig[1].Propose("b");
        Assert.Equal((ProgressState.Replicate, 4UL), (Peer(rig).State, Peer(rig).Next));
        rig[1].Core.Unreachable(new(2));
        Assert.Equal((ProgressState.Probe, 2UL, 1UL, 0), (Peer(rig).State, Peer(rig).Next, Peer(rig).Match, Peer(rig).Inflight));
        rig[1].Core.Unreachable(new(9));
    }

    [Fact]
    public void Scenario50_ACaughtUpMemberLeavesTheProbeByAnEmptyAppend()
    {
        RaftRig rig = Led(2);
        rig[1].Core.Unreachable(new(2));
        rig.IsManual = true;
        rig.Forget();
        rig[1].Receive(Message(MessageKind.HeartbeatResponse, 2, 1, 1));
        Assert.Empty(rig.Take(MessageKind.Append, 2).Entries.ToArray());
        rig[1].Receive(Ack(1));
        Assert.Equal(ProgressState.Replicate, Peer(rig).State);
    }

    [Fact]
    public void Scenario51_WhatIsProposedAndNotCommittedIsBounded()
    {
        RaftRig rig = Led(3, Standard with { MaxUncommittedBytes = 100 });
        rig.IsManual = true;
        Assert.True(rig[1].Propose(new string('x', 99)).IsAccepted);

        // One may go beyond: else an entry larger than the limit could never be proposed.
        Assert.True(rig[1].Propose(new string('y', 500)).IsAccepted);
        Assert.Equal(ProposeStatus.TooMuchUncommitted, rig[1].Propose("z").Status);
        Assert.True(rig[1].Propose("").IsAccepted);
        Assert.True(rig[1].Change(new MemberChange(MemberChangeKind.AddLearner, new(9))).IsAccepted);
        Assert.Equal(599 + rig[1].Core.Configuration.ByteCount + 8, rig[1].Core.UncommittedBytes);
        rig.Deliver();
        Assert.Equal(0, rig[1].Core.UncommittedBytes);
        Assert.True(rig[1].Propose("z").IsAccepted);

        // What a leader finds is counted too, and what a former leader had open is not.
        rig.Forget();
        rig.Isolate(1);
        rig[1].Propose(new string('x', 500));
        rig.IsManual = false;
        rig.Pass(5 * Standard.ElectionTimeout);
        Assert.Equal(0, rig[1].Core.UncommittedBytes);
        rig.Heal();
        rig.Pass(5 * Standard.ElectionTimeout);
        Assert.All(rig.Members, static m => Assert.Equal(0, m.Core.UncommittedBytes));
    }

    private static RaftMessage Ack(ulong index) => Message(MessageKind.AppendResponse, 2, 1, 1) with { Index = index };

    private static int Appends(RaftRig rig) => rig.Sent.Count(static m => m.Kind == MessageKind.Append && !m.Entries.IsEmpty);

    private static MemberProgress Peer(RaftRig rig) => rig[1].Core.Status().Members[1];
}
