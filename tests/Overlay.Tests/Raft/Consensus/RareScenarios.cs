using Overlay.Raft.Consensus;
using static Overlay.Tests.Raft.Consensus.RaftRig;

namespace Overlay.Tests.Raft.Consensus;

/// <summary>Rules that random runs do not tell from their absence: what goes wrong without them is too rare, or only slower.</summary>
public sealed class RareScenarios
{
    [Fact]
    public void ANewLeaderChangesNothingBeforeItHasCommittedInItsTermAlthoughAllItFoundIsApplied()
    {
        RaftRig rig = Led(3);
        rig.Pass(Standard.HeartbeatInterval);
        Assert.Equal(rig[2].Core.LastIndex, rig[2].Core.AppliedIndex);
        rig.Isolate(1);
        rig.Hook = static m => m.Kind is not MessageKind.AppendResponse and not MessageKind.Append;
        rig.Pass(Standard.ElectionTimeout);
        rig[2].Campaign();
        rig.Deliver();
        Assert.Equal(RaftRole.Leader, rig[2].Core.Role);
        Assert.Equal(rig[2].Core.LastIndex - 1, rig[2].Core.AppliedIndex);
        Assert.Equal(ProposeStatus.ChangePending, rig[2].Change(new MemberChange(MemberChangeKind.AddLearner, new(9))).Status);
        rig.Hook = static _ => true;
        rig.Pass(Standard.HeartbeatInterval);
        Assert.True(rig[2].Change(new MemberChange(MemberChangeKind.AddLearner, new(9))).IsAccepted);
    }

    [Fact]
    public void AnOldAppendIsAnsweredWithAllThatIsCommitted()
    {
        RaftRig rig = Led(3);
        for (int i = 0; i < 4; i++)
        {
            rig[1].Propose("x");
            rig.Deliver();
        }

        rig.Pass(Standard.HeartbeatInterval);
        RaftCore core = rig[2].Core;
        Assert.Equal(5UL, core.CommitIndex);
        rig.IsManual = true;
        rig.Forget();
        rig[2].Receive(Message(MessageKind.Append, 1, 2, core.Term) with
        {
            Index = 1,
            LogTerm = core.TermAt(1),
            Commit = 2,
            Entries = new[] { core.Entry(2) },
        });
        Assert.Equal(5UL, rig.Take(MessageKind.AppendResponse, 1).Index);
    }

    [Fact]
    public void OfACompactedLogExactlyWhatIsToBeKeptIsKept()
    {
        RaftRig rig = Led(3);
        for (int i = 0; i < 6; i++)
        {
            rig[1].Propose("x");
            rig.Deliver();
        }

        rig.Pass(Standard.HeartbeatInterval);
        RaftCore core = rig[1].Core;
        rig[1].Compact(4);
        Assert.Equal((4UL, 7UL), (core.FirstIndex, core.LastIndex));
        Assert.Equal(4UL, core.Entry(4).Index);
        Assert.Equal(core.Term, core.TermAt(3));
    }
}
