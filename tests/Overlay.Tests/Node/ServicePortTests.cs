using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.Cluster.Intents;
using Overlay.Dns;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Dns;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>SRV records of services (RFC 2782): their ports follow intent, their backends follow presence, as names do.</summary>
public sealed class ServicePortTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");

    [Theory]
    [InlineData(EndpointMode.Vip)]
    [InlineData(EndpointMode.Dnsrr)]
    public void Ports_are_those_that_backends_listen_on_each_once(EndpointMode mode)
    {
        Create(
            "web", mode, Port(8080, 80), Port(8081, 80), Port(0, 443), Port(5353, 80, PortProtocol.Udp), Port(9899, 9899, PortProtocol.Sctp));
        EndpointState here = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 7 }));
        foreach (string name in new[] { "web", "tasks.web", "Web.Blue", "tasks.web.blue" })
        {
            Assert.Equal(["0 7 443 web1.blue", "0 7 80 web1.blue", "0 7 9899 web1.blue"], Look(name));
        }

        Assert.Equal(["0 7 443 web1.blue", "0 7 80 web1.blue"], Look("_web._tcp"));
        Assert.Equal(["0 7 80 web1.blue"], Look("_web._udp.blue"));
        Assert.Equal(["0 7 9899 web1.blue"], Look("_web._sctp"));
        Assert.Equal([], Look("web1"));
        Assert.Equal(
            [$"additional web1.blue A {here.Ipv4}", $"additional web1.blue AAAA {here.Ipv6}"],
            Packets.Records(Ask("_web._udp").Packet).Where(static r => r.StartsWith("additional", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_service_that_publishes_nothing_has_none()
    {
        Create("web", EndpointMode.Dnsrr);
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        foreach (string name in new[] { "web", "web.blue", "tasks.web", "_web._tcp", "_web._udp.blue" })
        {
            Assert.Equal([], Look(name));
        }
    }

    [Fact]
    public void An_update_of_the_ports_is_told_at_once()
    {
        Create("web", EndpointMode.Dnsrr);
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Update("web", new() { PortsAdded = [Port(8080, 80), Port(5353, 53, PortProtocol.Udp)] });
        Assert.Equal(["0 1 53 web1.blue", "0 1 80 web1.blue"], Look("web"));
        Update("web", new() { PortsRemoved = [(80, PortProtocol.Unspecified)] });
        Assert.Equal([], Look("_web._tcp"));
        Assert.Equal(["0 1 53 web1.blue"], Look("_web._udp"));
    }

    [Fact]
    public void Where_a_port_is_published_does_not_matter()
    {
        PublishedPort port = Port(8080, 80);
        port.NodeLabel = "zone=nowhere";
        Create("web", EndpointMode.Vip, port);
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Empty(rig.Mind.Inputs().Ports);
        Assert.Equal(["0 1 80 web1.blue"], Look("_web._tcp"));

        // A mode that needs no backend on the node, and a protocol of managers to come.
        Change("web", static s => s.Ports.Add([
            new() { Published = 81, Target = 81, Protocol = PortProtocol.Tcp, Mode = PublishMode.Ingress },
            new() { Published = 82, Target = 82, Protocol = (PortProtocol)9, Mode = PublishMode.Ingress },
        ]));
        Assert.Equal(["0 1 80 web1.blue", "0 1 81 web1.blue"], Look("web"));
    }

    [Fact]
    public void Without_backends_a_virtual_address_keeps_the_names_and_names_alone_go()
    {
        Create("vip", EndpointMode.Vip, Port(8080, 80));
        Create("rr", EndpointMode.Dnsrr, Port(8081, 80));
        rig.Attached("box");
        Assert.Equal([], Look("vip"));
        Assert.Equal([], Look("_vip._tcp"));
        Assert.Equal([], Look("_vip._tcp.blue"));
        Assert.Null(Look("tasks.vip.blue"));
        Assert.Null(Look("rr.blue"));
        Assert.Null(Look("_rr._tcp.blue"));
        Assert.Equal(AnswerOutcome.Forward, Ask("_rr._tcp").Answer.Outcome);
        EndpointState backend = rig.Granted(rig.Attach(rig.Command("rr1") with { Service = "rr" }));
        Assert.Equal(["0 1 80 rr1.blue"], Look("_rr._tcp"));
        rig.Detached(backend);
        Assert.Null(Look("_rr._tcp.blue"));
    }

    [Fact]
    public void Drain_health_and_the_kernel_s_word_decide_as_for_addresses()
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service("web", "blue", EndpointMode.Vip) with
        {
            Ports = [Port(8080, 80)],
            Health = new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 1000, Retries = 1 },
        }));
        rig.World.AddNode(3);
        rig.Assign();
        rig.Attached("box");
        NodeRig.Peer peer = rig.StartPeer(3, 103);
        Tell(peer, EndpointHealth.Starting);
        Assert.Equal([], Look("_web._tcp"));
        Tell(peer, EndpointHealth.Healthy);
        Assert.Equal(["0 9 80 web3.blue"], Look("_web._tcp"));
        Drain(3, NodeAvailability.Drain);
        Assert.Equal([], Look("_web._tcp"));
        Drain(3, NodeAvailability.Active);
        Assert.Equal(["0 9 80 web3.blue"], Look("_web._tcp"));

        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        Assert.Equal(["0 9 80 web3.blue"], Look("_web._tcp"));
        Tell(peer, EndpointHealth.Unhealthy);
        Assert.Equal([], Look("_web._tcp"));
    }

    [Fact]
    public void What_is_lost_or_detached_is_told_no_more()
    {
        Create("web", EndpointMode.Dnsrr, Port(8080, 80));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web" }));
        EndpointState other = rig.Granted(rig.Attach(rig.Command("web2") with { Service = "web" }));
        Assert.Equal(["0 1 80 web1.blue", "0 1 80 web2.blue"], Look("web"));
        rig.KernelRefuses["web1"] = ("no such namespace", true);
        rig.Program();
        Assert.Equal(["0 1 80 web2.blue"], Look("web"));
        rig.KernelRefuses.Clear();
        rig.Program();
        Assert.Equal(["0 1 80 web1.blue", "0 1 80 web2.blue"], Look("web"));
        rig.Detached(other);
        Assert.Equal(["0 1 80 web1.blue"], Look("web"));
    }

    [Fact]
    public void Services_of_other_networks_are_no_names_here()
    {
        rig.World.Create("green", "10.1.0.0/24");
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service("far", "green", EndpointMode.Vip) with { Ports = [Port(8080, 80)] }));
        rig.Assign();
        rig.Attached("box");
        Assert.Null(Look("_far._tcp.blue"));
        Assert.Empty(Zone().Services);
    }

    [Fact]
    public void They_survive_a_restart_without_a_manager()
    {
        Create("web", EndpointMode.Vip, Port(8080, 80));
        rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 65535 }));
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.ManagerAnswers = false;
        rig.Boot();
        Assert.Equal(["0 65535 80 web1.blue"], Look("_web._tcp"));
    }

    private static PublishedPort Port(uint published, uint target, PortProtocol protocol = PortProtocol.Tcp) =>
        new() { Published = published, Target = target, Protocol = protocol, Mode = PublishMode.Host };

    private void Create(string name, EndpointMode mode, params PublishedPort[] ports)
    {
        rig.World.Do(rig.World.Intent.CreateService(rig.World.Service(name, "blue", mode) with { Ports = [.. ports] }));
        rig.Assign();
    }

    private void Update(string name, ServiceEdit edit)
    {
        int before = rig.ZoneChanges;
        rig.World.Do(rig.World.Intent.EditService(name, edit));
        rig.Assign();
        Assert.True(rig.ZoneChanges > before);
    }

    private void Change(string name, Action<ServiceObject> change)
    {
        ServiceObject changed = rig.World.State.ServiceNamed(name)!.Clone();
        change(changed);
        rig.World.Apply(new() { Actions = { new StoreAction { Update = new() { Service = changed } } } });
        rig.Assign();
    }

    private void Drain(ulong node, NodeAvailability wanted)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(node), new() { Availability = wanted }));
        rig.Assign();
    }

    /// <summary>The third node says how its backend of "web" is.</summary>
    private void Tell(NodeRig.Peer peer, EndpointHealth health)
    {
        EndpointRecord record = new()
        {
            Name = "web3",
            Ipv4 = "10.0.0.20",
            Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, 3),
            ServiceId = rig.World.State.ServiceNamed("web")!.Id,
            Weight = 9,
            Health = health,
        };
        rig.Speak(peer, (s, now, e) => Assert.Equal(PutOutcome.Done, s.Put(rig.Blue.Id, new EndpointId(903).ToString(), record.ToByteArray(), now, e)));
    }

    private Zone Zone() => rig.Mind.SandboxZones().Values.First()[0];

    private (Answer Answer, byte[] Packet) Ask(string name)
    {
        ImmutableArray<ZoneIndex> zones = [new ZoneIndex(Zone())];
        return Packets.Ask(Packets.Query(name, RecordType.Srv, edns: 1232), zones: zones);
    }

    /// <summary>The data of a name's SRV records, sorted; null: there is no such name of ours.</summary>
    private List<string>? Look(string name)
    {
        (Answer answer, byte[] packet) = Ask(name);
        return answer is not { Outcome: AnswerOutcome.Answered, Code: ResponseCode.NoError }
            ? null
            : [.. Packets.Records(packet).Where(static r => r.StartsWith("answer", StringComparison.Ordinal))
                .Select(static r => r[(r.IndexOf("SRV ", StringComparison.Ordinal) + 4)..]).Order(StringComparer.Ordinal)];
    }
}
