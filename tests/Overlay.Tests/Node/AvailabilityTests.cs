using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Dns;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>What a node does with what its managers want it to get.</summary>
public sealed class AvailabilityTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");

    [Theory]
    [InlineData(NodeAvailability.Pause, "paused")]
    [InlineData(NodeAvailability.Drain, "drained")]
    public void A_node_that_gets_nothing_new_says_how_to_undo_it_and_keeps_what_it_has(NodeAvailability wanted, string word)
    {
        EndpointState first = rig.Attached("web");
        Want(NodeRig.Number, wanted);
        rig.Refused(rig.Command("late"), RefusalKind.Conflict, word, "overlayd node update --availability active host2");
        Assert.Equal([first], rig.Endpoints);
        Assert.Single(rig.Mind.Inputs().Endpoints);
        Want(NodeRig.Number, NodeAvailability.Active);
        rig.Attached("late");
        Assert.Equal([word == "paused" ? "pause" : "drain", "active"], rig.Events.OfType<NodeEvent.NodeWanted>().Select(static e => e.Action));
    }

    [Fact]
    public void A_paused_node_stays_in_names_and_a_drained_one_leaves_them_until_it_is_active()
    {
        rig.Attached("web");
        Assert.Equal(["web"], Names());
        Want(NodeRig.Number, NodeAvailability.Pause);
        Assert.Equal(["web"], Names());
        Want(NodeRig.Number, NodeAvailability.Drain);
        Assert.Empty(Names());
        Want(NodeRig.Number, NodeAvailability.Active);
        Assert.Equal(["web"], Names());
    }

    [Fact]
    public void Endpoints_of_a_drained_peer_leave_names_and_stay_reachable()
    {
        BesidePeer();
        Want(3, NodeAvailability.Drain);
        Assert.Equal(["web"], Names());
        Assert.Single(rig.Mind.Inputs().Remotes);
        rig.Refused(rig.Command("other", "far"), RefusalKind.Conflict, "far");
        Want(3, NodeAvailability.Active);
        Assert.Equal(["far", "web"], Names().Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_drain_is_confirmed_when_every_node_that_may_send_has_acknowledged_it()
    {
        rig.Attached("web");
        NodeRig.Peer peer = rig.StartPeer(3, 7);
        rig.Speak(peer, (s, now, e) => s.Subscribe(rig.Blue.Id, now, e));
        rig.Sleep(TimeSpan.FromSeconds(3));
        Assert.False(Told().Withdrawn);
        rig.StopPeer(peer);
        Want(NodeRig.Number, NodeAvailability.Drain);
        long drain = Self.AvailabilityUnixMs;
        Assert.True(drain > 0);
        Assert.True(Told().Withdrawn);
        rig.Sleep(TimeSpan.FromSeconds(1));
        Assert.Equal(Presence.Alive, rig.Mind.Gossip.Find(peer.Name)!.Presence);
        Assert.Empty(rig.Drains);

        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.NotEqual(Presence.Alive, rig.Mind.Gossip.Find(peer.Name)!.Presence);
        Assert.Equal([drain], rig.Drains);
        rig.World.Do(rig.World.Intent.ConfirmDrain(Self.Id, drain));
        rig.Assign();
        Assert.True(Availability.IsAcknowledged(Self));
        Want(NodeRig.Number, NodeAvailability.Active);
        Assert.False(Told().Withdrawn);
        rig.Sleep(TimeSpan.FromSeconds(5));
        Assert.Equal([drain], rig.Drains);
    }

    [Fact]
    public void A_host_whose_agent_is_down_is_waited_for_where_it_may_send()
    {
        NodeRig.Peer peer = BesidePeer();
        rig.Speak(peer, (s, now, e) => s.Subscribe(rig.Blue.Id, now, e));
        rig.Sleep(TimeSpan.FromSeconds(3));
        rig.DialsEnd = StreamFailure.Refused;
        rig.StopPeer(peer);
        Want(NodeRig.Number, NodeAvailability.Drain);
        rig.Sleep(TimeSpan.FromSeconds(60));
        Assert.Equal(Presence.AgentDown, rig.Mind.Gossip.Find(peer.Name)!.Presence);
        Assert.Empty(rig.Drains);
        rig.DialsEnd = StreamFailure.Unreachable;
        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.Equal([Self.AvailabilityUnixMs], rig.Drains);
    }

    [Fact]
    public void After_a_restart_a_drain_that_was_not_confirmed_is_confirmed_still()
    {
        rig.Attached("web");
        Want(NodeRig.Number, NodeAvailability.Drain);
        rig.Boot();
        Assert.True(Told().Withdrawn);
        rig.Sleep(TimeSpan.FromSeconds(3));
        Assert.Equal([Self.AvailabilityUnixMs], rig.Drains);
    }

    [Fact]
    public void What_its_node_has_withdrawn_leaves_names_before_any_manager_says_so()
    {
        NodeRig.Peer peer = BesidePeer();
        Put(peer, withdrawn: true);
        Assert.Equal(["web"], Names());
        Assert.Single(rig.Mind.Inputs().Remotes);
        Put(peer, withdrawn: false);
        Assert.Equal(["far", "web"], Names().Order(StringComparer.Ordinal));
    }

    /// <summary>Host 3 has the endpoint far, and this node web.</summary>
    private NodeRig.Peer BesidePeer()
    {
        rig.Attached("web");
        rig.World.AddNode(3);
        rig.Assign();
        NodeRig.Peer peer = rig.StartPeer(3, 7);
        Put(peer, withdrawn: false);
        Assert.Equal(["far", "web"], Names().Order(StringComparer.Ordinal));
        return peer;
    }

    private NodeObject Self => rig.World.State.Node(Cluster.World.NodeIdOf(NodeRig.Number))!;

    private EndpointRecord Told() =>
        EndpointRecord.Parser.ParseFrom(Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id), e => e.Key == rig.Endpoints[0].Id.ToString()).Value.Span);

    private void Put(NodeRig.Peer peer, bool withdrawn)
    {
        EndpointRecord record = new() { Name = "far", Ipv4 = "10.0.0.20", Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, 1), Withdrawn = withdrawn };
        rig.Speak(peer, (s, now, e) => s.Put(rig.Blue.Id, new EndpointId(900).ToString(), record.ToByteArray(), now, e));
    }

    [Fact]
    public void An_attach_that_waits_for_an_address_ends_when_the_node_is_paused()
    {
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web") with { Ipv4 = System.Net.IPAddress.Parse("10.0.0.250") });
        Want(NodeRig.Number, NodeAvailability.Pause);
        rig.Refused(request, RefusalKind.Conflict, "paused");
        Assert.Empty(rig.Endpoints);
    }

    private void Want(ulong node, NodeAvailability wanted)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(node), new() { Availability = wanted }));
        rig.Assign();
    }

    private string[] Names() =>
        [.. rig.Mind.SandboxZones().Values.SelectMany(static z => z).SelectMany(static (Zone z) => z.Endpoints).SelectMany(static e => e.Names)];
}
