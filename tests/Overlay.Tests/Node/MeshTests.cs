using System.Net;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>A node's part of the routing mesh: its endpoint on the ingress network, what it says there, and where it sends clients.</summary>
public sealed class MeshTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24");

    [Fact]
    public void A_node_is_on_the_ingress_network_as_long_as_there_is_one()
    {
        Assert.Empty(rig.Endpoints);
        Create("web", Port());
        EndpointState own = Assert.Single(rig.Endpoints);
        Assert.Equal((NamespaceName.Ingress, "eth0", 0), (own.Sandbox, own.Interface, own.GatewaySlot));
        Assert.True(Ingress.Segments[0].Ipv4.Subnet.Length > 0 && IPNetwork.Parse(Ingress.Segments[0].Ipv4.Subnet).Contains(own.Ipv4!));
        Assert.Empty(rig.Mind.SandboxZones());
        rig.World.Do(rig.World.Intent.RemoveService("web"));
        rig.World.Do(rig.World.Intent.RemoveNetwork("ingress"));
        rig.Assign();
        Assert.Empty(rig.Endpoints);
        Assert.Empty(rig.Mind.Inputs().LeftSandboxes);
    }

    [Fact]
    public void It_waits_for_a_manager_and_asks_again()
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service("web", "blue") with { Ports = [Port()] }));
        LeaseObject[] ahead = [.. rig.World.State.LeasesOf(Ingress.Id).Where(static l => l.NodeId == Cluster.World.NodeIdOf(NodeRig.Number))];
        Transaction taken = new() { UnixMs = rig.World.Now };
        taken.Actions.AddRange(ahead.Select(static l => new StoreAction { Delete = new() { Kind = ObjectKind.Lease, Id = l.Id } }));
        rig.World.Apply(taken);
        rig.ManagerAnswers = false;
        rig.Assign();
        Assert.Empty(rig.Endpoints);
        rig.Asked.ToList().ForEach(rig.Unavailable);
        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.Empty(rig.Endpoints);
        rig.ManagerAnswers = true;
        rig.AnswerAsked();
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Single(rig.Endpoints);
    }

    [Fact]
    public void Clients_are_sent_here_once_the_kernel_has_the_backend()
    {
        Create("web", Port());
        Assert.Equal((0, true), (Web.Nodes.Length, Web.IsMesh));
        rig.KernelAnswers = false;
        long request = rig.Attach(rig.Command("web1") with { Service = "web", Weight = 3 });
        Assert.Empty(Web.Nodes);
        Assert.Equal([3], Assert.Single(rig.Mind.Inputs().MeshPorts).Backends.Select(static b => b.Weight));
        rig.KernelAnswers = true;
        rig.Program();
        EndpointState web = rig.Granted(request);
        Assert.Equal(new MeshNode(Own.Ipv4!, 3, Own.Ipv6!), Assert.Single(Web.Nodes));
        Assert.Equal([3u], Told());
        rig.Granted(rig.Attach(rig.Command("web2") with { Service = "web" }));
        Assert.Equal([4u], Told());
        rig.Detached(web);
        Assert.Equal([1u], Told());
    }

    [Fact]
    public void Clients_by_IPv6_are_served_where_the_network_between_nodes_has_it()
    {
        PublishedPort one = Port();
        (one.Published, one.Address) = (90, "2001:db8::1");
        Create("web", Port(), one);
        Assert.Equal(
            [IpFamilies.Ipv6, IpFamilies.Ipv4 | IpFamilies.Ipv6], rig.Mind.Inputs().Ports.OrderBy(static p => p.Published).Select(static p => p.Families));
        rig.World.Do(rig.World.Intent.RemoveService("web"));
        rig.World.Do(rig.World.Intent.RemoveNetwork("ingress"));
        rig.World.Create(rig.World.Network("edge", "10.200.0.0/24") with { Ingress = true });
        rig.Assign();
        Create("web", Port(), one);
        Assert.Null(Own.Ipv6);
        Assert.Equal(IpFamilies.Ipv4, Assert.Single(rig.Mind.Inputs().Ports).Families);
    }

    [Fact]
    public void In_turn_each_backend_counts_once()
    {
        Create("web", EndpointMode.Vip, "rr", Port());
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 30 }));
        rig.Granted(rig.Attach(rig.Command("web2") with { Service = "web" }));
        Assert.Equal([2u], Told());
    }

    [Fact]
    public void A_drained_node_passes_on_and_gets_nothing_and_who_comes_late_is_served()
    {
        Create("web", Port());
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Edit(new() { Availability = NodeAvailability.Drain });
        Assert.Equal((true, 0), (Web.IsMesh, Web.Nodes.Length));
        Assert.Empty(Told());
        Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Backends);
        Assert.Equal((false, true), Assert.Single(rig.Mind.Inputs().PortSandboxes) is var it ? (it.OfHost, it.OfMesh) : default);
        Edit(new() { Availability = NodeAvailability.Active });
        Assert.Single(Web.Nodes);
    }

    [Fact]
    public void A_node_that_is_drained_already_is_on_the_ingress_network_too()
    {
        Edit(new() { Availability = NodeAvailability.Drain });
        Create("web", Port());
        Assert.Single(rig.Endpoints);
    }

    [Fact]
    public void Other_nodes_get_clients_as_they_say_they_have_backends()
    {
        rig.World.AddNode(3);
        Create("web", Port());
        NodeRig.Peer peer = rig.StartPeer(3, 7);
        Tell(peer, 5);
        MeshNode there = new(IPAddress.Parse("10.77.0.9"), 5);
        Assert.Equal(there, Assert.Single(Web.Nodes));
        Assert.Equal(there, Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Elsewhere));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Equal([1, 5], Web.Nodes.Select(static n => n.Weight).Order());
        Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Elsewhere);
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(3), new() { Availability = NodeAvailability.Drain }));
        rig.Assign();
        Assert.Equal([1], Web.Nodes.Select(static n => n.Weight));
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(3), new() { Availability = NodeAvailability.Active }));
        rig.Assign();
        rig.Speak(peer, (s, now, e) => s.Delete(Ingress.Id, new EndpointId(901).ToString(), now, e));
        Assert.Equal([1], Web.Nodes.Select(static n => n.Weight));
    }

    [Fact]
    public void This_nodes_own_backends_come_first_or_are_the_only_ones_where_that_is_wanted()
    {
        rig.World.AddNode(3);
        Create("web", EndpointMode.Vip, "", Port());
        Tell(rig.StartPeer(3, 7), 5);
        Prefer("prefer");
        Assert.Equal([5], Web.Nodes.Select(static n => n.Weight));
        Prefer("require");
        Assert.Empty(Web.Nodes);
        Assert.Empty(Assert.Single(rig.Mind.Inputs().MeshPorts).Elsewhere);
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Equal(Own.Ipv4, Assert.Single(Web.Nodes).Address);
        Prefer("prefer");
        Assert.Equal(Own.Ipv4, Assert.Single(Web.Nodes).Address);
        Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Elsewhere);
        Prefer("off");
        Assert.Equal(2, Web.Nodes.Length);
    }

    [Theory]
    [InlineData(0u, "", "")]
    [InlineData(65536u, "", "")]
    [InlineData(1u, "name", "")]
    [InlineData(1u, "", "10.77.0.10")]
    public void A_share_that_cannot_be_is_no_record(uint weight, string name, string address)
    {
        rig.World.AddNode(3);
        Create("web", Port());
        NodeRig.Peer peer = rig.StartPeer(3, 7);
        EndpointRecord share = Share(weight);
        (share.Name, share.Ipv4) = (name, address);
        Put(peer, 900, Far);
        Put(peer, 901, share);
        Assert.Contains("share", Assert.Single(rig.Events.OfType<NodeEvent.RecordRejected>()).Reason, StringComparison.Ordinal);
        Assert.Empty(Web.Nodes);
    }

    [Fact]
    public void A_share_is_no_endpoint()
    {
        rig.World.AddNode(3);
        Create("web", Port());
        Tell(rig.StartPeer(3, 7), 5);
        Assert.Equal("far", Assert.Single(rig.Mind.RemotesOn(NetworkId.Parse(Ingress.Id))).Name);
        Assert.Equal(1, rig.Mind.RemoteCount);
        Assert.Single(rig.Mind.Inputs().Remotes);
        Assert.Equal(["far"], rig.Events.OfType<NodeEvent.EndpointChanged>().Where(static e => e.Action == "up").Select(static e => e.Name));
    }

    [Fact]
    public void Nobody_else_is_put_there_and_it_is_not_taken_away()
    {
        Create("web", Port());
        rig.Refused(rig.Command("box") with { Network = "ingress" }, RefusalKind.Invalid, "Network ingress is for published ports alone");
        rig.Refused(rig.Detach(Own.Id.ToString()), RefusalKind.Conflict, "this node's own way to published ports", "service ls");
        Assert.Single(rig.Endpoints);
    }

    [Fact]
    public void After_a_restart_without_a_manager_the_same_nodes_get_clients()
    {
        rig.World.AddNode(3);
        Create("web", Port());
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Tell(rig.StartPeer(3, 7), 5);
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.ManagerAnswers = false;
        rig.KernelAnswers = false;
        rig.Boot();
        Assert.Equal([1, 5], Web.Nodes.Select(static n => n.Weight).Order());
    }

    [Fact]
    public void Who_leaves_serves_those_on_their_way_and_gets_no_more()
    {
        Create("web", Port());
        Assert.False(Withdraws());
        rig.Do(static (n, now, e) => n.Stay(now, e));
        EndpointState web = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 3 }));
        Assert.Equal(web.Service.ToString(), Told(web).ServiceId);

        Assert.True(Withdraws());
        Assert.Empty(Told());
        Assert.Empty(Web.Nodes);
        Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Backends);
        Assert.Equal(("", web.Ipv4!.ToString()), (Told(web).ServiceId, Told(web).Ipv4));

        rig.Do(static (n, now, e) => n.Stay(now, e));
        Assert.Equal([3u], Told());
        Assert.Single(Web.Nodes);
        Assert.Equal(web.Service.ToString(), Told(web).ServiceId);
    }

    [Fact]
    public void Who_leaves_waits_for_those_that_may_send_clients_and_for_no_others()
    {
        Create("web", Port());
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        NodeRig.Peer near = rig.StartPeer(3, 7);
        NodeRig.Peer far = rig.StartPeer(4, 8, attached: false);
        NodeRig.Peer stranger = rig.StartPeer(5, 9, attached: false);
        rig.Speak(far, (s, now, e) => s.Subscribe(Ingress.Id, now, e));
        rig.Sleep(TimeSpan.FromSeconds(3));
        Assert.Empty(Unaware());

        rig.StopPeer(far);
        Assert.True(Withdraws());
        Assert.Equal(Hosts(near, far), Unaware());
        rig.Sleep(TimeSpan.FromSeconds(1));
        Assert.Equal(Hosts(far), Unaware());
        Assert.Equal(Presence.Alive, rig.Mind.Gossip.Find(stranger.Name)!.Presence);

        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.NotEqual(Presence.Alive, rig.Mind.Gossip.Find(far.Name)!.Presence);
        Assert.Empty(Unaware());
    }

    [Fact]
    public void A_share_that_finds_no_room_is_told_when_there_is_some()
    {
        Create("web", Port());
        byte[] other = new EndpointRecord { Name = "other" }.ToByteArray();
        for (int i = 0; i < SwimOptions.Lan.MaxEntriesPerOwner; i++)
        {
            rig.Do((n, now, e) => n.Gossip.Put(Ingress.Id, $"other{i}", other, now, e.Gossip));
        }

        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 3 }));
        Assert.Empty(Told());

        rig.Do((n, now, e) => n.Gossip.Delete(Ingress.Id, "other0", now, e.Gossip));
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Equal([3u], Told());
    }

    [Fact]
    public void On_its_way_out_of_the_cluster_it_does_not_come_back_at_once()
    {
        Create("web", Port());
        rig.Do(static (n, now, e) => n.DetachAll(now, e));
        Assert.Empty(rig.Endpoints);
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Single(rig.Endpoints);
    }

    [Fact]
    public void Labels_decide_who_answers_and_not_who_has_backends()
    {
        PublishedPort port = Port();
        port.NodeLabel = "edge";
        Create("web", port);
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Empty(rig.Mind.Inputs().Ports);
        Assert.Single(Assert.Single(rig.Mind.Inputs().MeshPorts).Backends);
        Edit(new() { LabelsAdded = new NodeEdit().LabelsAdded.Add("edge", "") });
        Assert.Single(Web.Nodes);
    }

    [Fact]
    public void A_backend_that_is_ill_gets_nobody()
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service("web", "blue") with
        {
            Ports = [Port()],
            Health = new() { Kind = HealthKind.Tcp, Port = 80 },
        }));
        rig.Assign();
        EndpointState web = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Empty(Web.Nodes);
        rig.Sleep(TimeSpan.FromSeconds(3));
        HealthProbe probe = rig.Probes.First(p => p.Endpoint == web.Id);
        rig.Do((n, now, e) => n.HealthTold(web.Id, probe.Question, null, now, e));
        Assert.Single(Web.Nodes);
    }

    private HostPort Web => Assert.Single(rig.Mind.Inputs().Ports);

    private EndpointState Own => rig.Endpoints.Single(static e => e.Sandbox == NamespaceName.Ingress);

    private NetworkObject Ingress => rig.World.State.Networks.Single(static n => n.Ingress);

    /// <summary>The weights of its shares, as the others hear of them.</summary>
    private IEnumerable<uint> Told() => rig.Mind.Gossip.Entries(Ingress.Id).Where(e => e.Owner == rig.Mind.Id.ToString())
        .Select(static e => EndpointRecord.Parser.ParseFrom(e.Value.Span)).Where(static r => r.ServiceId.Length > 0).Select(static r => r.Weight);

    private EndpointRecord Told(EndpointState endpoint) => EndpointRecord.Parser.ParseFrom(
        rig.Mind.Gossip.Entries(endpoint.Network.ToString()).Single(e => e.Key == endpoint.Id.ToString()).Value.Span);

    private void Prefer(string locality)
    {
        rig.World.Do(rig.World.Intent.EditService("web", new() { Locality = locality }));
        rig.Assign();
    }

    private bool Withdraws()
    {
        bool isAwaited = false;
        rig.Do((n, now, e) => isAwaited = n.Withdraw(now, e));
        return isAwaited;
    }

    private IReadOnlyList<string> Unaware()
    {
        IReadOnlyList<string> hosts = [];
        rig.Do((n, now, _) => hosts = n.Unaware(now));
        return hosts;
    }

    private IEnumerable<string> Hosts(params NodeRig.Peer[] peers) =>
        peers.Select(static p => p.Name).Order(StringComparer.Ordinal).Select(n => rig.World.State.Node(n)?.Hostname ?? n);

    private static EndpointRecord Far => new()
    {
        Name = "far",
        Ipv4 = "10.77.0.9",
        Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, 1),
        Sandbox = NamespaceName.Ingress.Value,
    };

    private EndpointRecord Share(uint weight) =>
        new() { Sandbox = NamespaceName.Ingress.Value, ServiceId = rig.World.State.ServiceNamed("web")!.Id, Weight = weight };

    private void Tell(NodeRig.Peer peer, uint weight)
    {
        Put(peer, 900, Far);
        Put(peer, 901, Share(weight));
    }

    private void Put(NodeRig.Peer peer, ulong key, EndpointRecord record) => rig.Speak(peer, (s, now, e) =>
    {
        s.Subscribe(Ingress.Id, now, e);
        Assert.Equal(PutOutcome.Done, s.Put(Ingress.Id, new EndpointId(key).ToString(), record.ToByteArray(), now, e));
    });

    private void Create(string name, params PublishedPort[] ports) => Create(name, EndpointMode.Dnsrr, "", ports);

    private void Create(string name, EndpointMode mode, string scheduler, params PublishedPort[] ports)
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service(name, "blue", mode) with { Ports = [.. ports], Scheduler = scheduler }));
        rig.Assign();
    }

    private void Edit(NodeEdit edit)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(NodeRig.Number), edit));
        rig.Assign();
    }

    private static PublishedPort Port(uint published = 8080) =>
        new() { Published = published, Target = 80, Protocol = PortProtocol.Tcp, Mode = PublishMode.Ingress };
}
