namespace Overlay.Tests.Node;

public sealed class SessionTests
{
    [Theory]
    [InlineData("192.0.2.1:2377")]
    [InlineData("manager.example:2377")]
    public void A_session_with_the_only_manager_is_watched_by_whatever_address_it_was_dialled(string dialled)
    {
        NodeRig rig = new();
        rig.Assign();
        NodeRig.Peer manager = rig.StartPeer(1, boot: 7);
        rig.Sleep(TimeSpan.FromMinutes(1));
        long without = Heard(rig, manager);
        rig.Do((n, now, e) => n.ManagerSessionOpened(dialled, now, e));
        Assert.InRange(Heard(rig, manager) - without, 8, 30);
        rig.Do((n, _, _) => n.ManagerSessionClosed());
        Assert.InRange(Heard(rig, manager) - without, -5, 5);
    }

    private static long Heard(NodeRig rig, NodeRig.Peer peer)
    {
        long before = peer.Swim.Counters.DatagramsReceived;
        rig.Sleep(TimeSpan.FromSeconds(15));
        return peer.Swim.Counters.DatagramsReceived - before;
    }
}
