using Overlay.Raft.Consensus;

namespace Overlay.Tests.Raft.Consensus;

public sealed class SmokeTests
{
    [Fact]
    public void Elects_and_replicates()
    {
        RaftRig rig = RaftRig.Led(3);
        for (int i = 0; i < 20; i++)
        {
            Assert.True(rig[1].Propose($"x{i}").IsAccepted);
        }

        rig.Deliver();
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal(21, rig[2].State.Count);
        rig.Isolate(1);
        rig.Pass(TimeSpan.FromSeconds(5));
        Assert.NotEqual(RaftRole.Leader, rig[1].Core.Role);
        Assert.NotEqual(1UL, rig.Leader.Id.Value);
        rig.Leader.Propose("y");
        rig.Deliver();
        rig.Heal();
        rig.Pass(TimeSpan.FromSeconds(5));
        rig.AssertAgreed(1, 2, 3);
        Assert.Equal("y", rig[1].State[^1]);
    }
}
