using Google.Protobuf;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Others' endpoints over a restart, when their agents are alive, down, gone, or have changed meanwhile.</summary>
public sealed class MemoryTests
{
    private static readonly NodeId Other = new(1);

    private readonly NodeRig rig = AttachTests.Ready();

    public MemoryTests() => rig.Attached("web");

    private string[] Names => [.. rig.Mind.RemotesOn(rig.BlueId).Select(static r => r.Name).Order(StringComparer.Ordinal)];

    [Fact]
    public void What_others_have_is_on_disk_some_seconds_after_it_changed()
    {
        NodeRig.Peer other = rig.StartPeer(1, 100);
        Tell(other, "db", "10.0.0.20");
        Assert.Equal(["db"], Names);
        Assert.Empty(rig.Disk!.Remotes);
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Equal("db", Assert.Single(rig.Disk!.Remotes).Record.Name);
        rig.Speak(other, (s, now, e) => s.Delete(rig.Blue.Id, KeyOf(other, "db"), now, e));
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Empty(rig.Disk!.Remotes);
    }

    [Fact]
    public void It_is_reached_and_named_from_the_first_moment_of_a_restart()
    {
        Remembered("db");
        RemoteEndpoint remote = Assert.Single(rig.Mind.Inputs().Remotes);
        Assert.Equal(("10.0.0.20", "192.0.2.1"), (remote.Ipv4!.ToString(), remote.Vtep.ToString()));
        Assert.Equal(["db", "web"], rig.Mind.SandboxZones()[new("web")][0].Endpoints.Select(static e => e.Names[0]).Order(StringComparer.Ordinal));
        Assert.Equal(Presence.Suspect, rig.Mind.Gossip.Find(Other.ToString())!.Presence);
    }

    [Fact]
    public void It_stays_while_the_host_refuses_and_goes_when_the_host_is_silent()
    {
        Remembered("db");
        rig.DialsEnd = StreamFailure.Refused;
        rig.Sleep(TimeSpan.FromSeconds(60));
        Assert.Equal(["db"], Names);
        Assert.Equal(Presence.AgentDown, rig.Mind.Gossip.Find(Other.ToString())!.Presence);
        rig.DialsEnd = StreamFailure.Unreachable;
        rig.Sleep(TimeSpan.FromSeconds(12));
        Assert.Empty(Names);
        Assert.Empty(rig.Mind.Inputs().Remotes);
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Empty(rig.Disk!.Remotes);
    }

    [Fact]
    public void Of_a_host_that_never_answers_it_goes_within_seconds()
    {
        Remembered("db");
        rig.DialsEnd = StreamFailure.Unreachable;
        rig.Sleep(TimeSpan.FromSeconds(5));
        Assert.Empty(Names);
    }

    [Fact]
    public void It_goes_when_the_hold_is_over()
    {
        Remembered("db");
        rig.DialsEnd = StreamFailure.Refused;
        rig.Sleep(TimeSpan.FromMinutes(4.9));
        Assert.Equal(["db"], Names);
        rig.Sleep(TimeSpan.FromMinutes(0.2));
        Assert.Empty(Names);
    }

    [Fact]
    public void The_owner_s_own_word_replaces_it_and_ends_what_it_does_not_have_any_more()
    {
        Remembered("db", "cache");
        rig.DialsEnd = StreamFailure.Refused;
        NodeRig.Peer again = rig.StartPeer(1, 200);
        Tell(again, "db", "10.0.0.20");
        rig.Sleep(TimeSpan.FromSeconds(2));
        Assert.Equal(["db"], Names);
        Assert.Equal(Presence.Alive, rig.Mind.Gossip.Find(Other.ToString())!.Presence);
    }

    [Fact]
    public void An_owner_that_is_alive_and_no_longer_attached_has_nothing_there()
    {
        Remembered("db");
        rig.DialsEnd = StreamFailure.Refused;
        rig.StartPeer(1, 200, attached: false);
        rig.Sleep(TimeSpan.FromSeconds(12));
        Assert.Empty(Names);
    }

    [Fact]
    public void An_address_that_somebody_else_has_now_ends_the_memory_of_it()
    {
        Remembered("db");
        rig.World.AddNode(3);
        rig.Assign();
        rig.DialsEnd = StreamFailure.Refused;
        NodeRig.Peer third = rig.StartPeer(3, 300);
        Tell(third, "new", "10.0.0.20");
        Assert.Equal(["new"], Names);
    }

    [Fact]
    public void A_node_that_was_removed_meanwhile_is_not_remembered()
    {
        rig.World.AddNode(3);
        rig.Assign();
        Tell(rig.StartPeer(3, 300), "old", "10.0.0.30");
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.World.Do(rig.World.Intent.RemoveNode(Cluster.World.NodeIdOf(3), force: true));
        rig.Boot();
        Assert.Equal(["old"], Names);
        rig.DialsEnd = StreamFailure.Refused;
        rig.Assign();
        rig.Sleep(TimeSpan.FromSeconds(2));
        Assert.Empty(Names);
    }

    [Fact]
    public void Damaged_memories_are_left_out()
    {
        Remembered("db");
        rig.Disk!.Remotes.Add(new RememberedEndpoint { NetworkId = "x", Owner = "y", Id = "z", Record = new() });
        rig.Disk.Remotes.Add(new RememberedEndpoint { NetworkId = rig.Blue.Id, Owner = Other.ToString(), Id = "z" });
        RememberedEndpoint bad = rig.Disk.Remotes[0].Clone();
        bad.Id = new EndpointId(99).ToString();
        bad.Record.Mac = ByteString.Empty;
        rig.Disk.Remotes.Add(bad);
        rig.Boot();
        Assert.Equal(["db"], Names);
    }

    /// <summary>The node has restarted and knows these endpoints of the other node from its disk alone.</summary>
    private void Remembered(params string[] names)
    {
        NodeRig.Peer other = rig.StartPeer(1, 100);
        for (int i = 0; i < names.Length; i++)
        {
            Tell(other, names[i], $"10.0.0.{20 + i}");
        }

        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.Boot();
        Assert.Equal(names.Order(StringComparer.Ordinal), Names);
    }

    private void Tell(NodeRig.Peer peer, string name, string address)
    {
        EndpointRecord record = new()
        {
            Name = name,
            Ipv4 = address,
            Mac = ByteString.CopyFrom(2, 0, 0, 0, (byte)peer.Address.Address.GetAddressBytes()[3], (byte)name[0]),
        };
        rig.Speak(peer, (s, now, e) => Assert.Equal(PutOutcome.Done, s.Put(rig.Blue.Id, KeyOf(peer, name), record.ToByteArray(), now, e)));
    }

    private static string KeyOf(NodeRig.Peer peer, string name) =>
        new EndpointId(((ulong)peer.Address.Address.GetAddressBytes()[3] << 8) | name[0]).ToString();
}
