using System.Net;
using Google.Protobuf;
using Overlay.Dns;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Dns;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Backends that are asked how they are: who is in names and balanced, what others hear, and what outlives what.</summary>
public sealed class HealthTests
{
    private const string Refused = "tcp:80: connection refused";

    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24");
    private ServiceObject web;

    public HealthTests() => web = Create("web", new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 2000, Retries = 2 });

    [Fact]
    public void It_is_in_names_and_balanced_from_its_first_success_until_failures_in_a_row()
    {
        EndpointState backend = Backend("web1");
        Assert.Equal(EndpointHealth.Starting, Now(backend).Health);
        AssertOut(backend);
        HealthProbe probe = Asked();
        Assert.Equal(
            (backend.Id, "web1", "web1", backend.Ipv4, HealthKind.Tcp, 80, "", "", TimeSpan.FromSeconds(2)),
            (probe.Endpoint, probe.Name, probe.Sandbox.Value, probe.Address, probe.Kind, probe.Port, probe.Path, probe.Command, probe.Timeout));
        Tell(probe, Refused);
        Assert.Equal((EndpointHealth.Starting, Refused), (Now(backend).Health, Now(backend).HealthReason));
        AssertOut(backend);
        Tell(Asked(), null);
        AssertIn(backend);
        Tell(Asked(), Refused);
        AssertIn(backend);
        Tell(Asked(), Refused);
        AssertOut(backend);
        Assert.Equal((EndpointHealth.Unhealthy, Refused), (Now(backend).Health, Now(backend).HealthReason));
        Tell(Asked(), null);
        AssertIn(backend);
        Assert.Equal(
            [("healthy", ""), ("unhealthy", Refused), ("healthy", "")],
            rig.Events.OfType<NodeEvent.HealthChanged>().Select(static e => (e.Health, e.Reason)));
    }

    [Fact]
    public void Its_own_name_and_the_way_back_to_it_stay()
    {
        EndpointState backend = Backend("web1");
        Assert.Equal([backend.Ipv4!.ToString()], Look("web1"));
        ZoneEndpoint named = Zone().Endpoints.Single(e => Equals(e.Ipv4, backend.Ipv4));
        Assert.Equal(["web1"], named.Names);
    }

    [Fact]
    public void Others_hear_of_a_change_at_once()
    {
        NodeRig.Peer peer = Peer(3);
        EndpointState backend = Backend("web1");
        Assert.Equal(EndpointHealth.Starting, HeardBy(peer, backend));
        HealthProbe probe = Asked();
        Tell(probe, null);
        Assert.Equal(EndpointHealth.Healthy, HeardBy(peer, backend));
        Tell(Asked(), Refused);
        Tell(Asked(), Refused);
        Assert.Equal(EndpointHealth.Unhealthy, HeardBy(peer, backend));
    }

    [Fact]
    public void Of_others_their_owner_s_word_counts()
    {
        rig.Attached("box");
        NodeRig.Peer peer = Peer(3);
        foreach ((EndpointHealth health, string action, bool serves) in new[]
        {
            (EndpointHealth.Starting, "up", false), (EndpointHealth.Healthy, "healthy", true), (EndpointHealth.Unhealthy, "unhealthy", false),
            (EndpointHealth.Unspecified, "up", true),
        })
        {
            Tell(peer, health);
            Assert.Equal(serves ? ["10.0.0.20"] : null, Look("tasks.web"));
            Assert.Equal(serves ? [IPAddress.Parse("10.0.0.20")] : [], Balanced());
            Assert.Equal(["10.0.0.20"], Look("web3"));
            Assert.Equal(action, rig.Events.OfType<NodeEvent.EndpointChanged>().Last().Action);
        }

        Tell(peer, EndpointHealth.Healthy);
        Tell(peer, (EndpointHealth)4);
        Assert.Equal("the health is not one", rig.Events.OfType<NodeEvent.RecordRejected>().Last().Reason);
        Assert.Equal(["10.0.0.20"], Look("tasks.web"));
    }

    [Fact]
    public void A_restart_begins_as_it_was_and_asks_soon()
    {
        EndpointState backend = Backend("web1");
        Tell(Asked(), null);
        rig.ManagerAnswers = false;
        rig.Boot();
        AssertIn(backend);
        Tell(Asked(), Refused);
        AssertIn(backend);
        Tell(Asked(), Refused);
        AssertOut(backend);
        rig.Boot();
        Assert.Equal((EndpointHealth.Unhealthy, Refused), (Now(backend).Health, Now(backend).HealthReason));
        AssertOut(backend);
        Tell(Asked(), null);
        AssertIn(backend);
    }

    [Fact]
    public void An_answer_to_a_question_of_the_life_before_says_nothing()
    {
        EndpointState backend = Backend("web1");
        HealthProbe probe = Asked();
        rig.Boot();
        Tell(probe, null);
        Assert.Equal(EndpointHealth.Starting, Now(backend).Health);
    }

    [Fact]
    public void Others_as_they_were_last_heard_of_survive_a_restart()
    {
        rig.Attached("box");
        Tell(Peer(3), EndpointHealth.Unhealthy);
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.ManagerAnswers = false;
        rig.Boot();
        Assert.Equal(EndpointHealth.Unhealthy, Assert.Single(rig.Mind.RemotesOn(rig.BlueId)).Health);
        Assert.Null(Look("tasks.web"));
    }

    [Fact]
    public void A_command_looks_at_the_service_s_pace_beside_its_check_and_at_its_own_without_one()
    {
        Backend("web1", command: "test -e /ok");
        HealthProbe both = Asked();
        Assert.Equal((HealthKind.Tcp, 80, "test -e /ok", TimeSpan.FromSeconds(2)), (both.Kind, both.Port, both.Command, both.Timeout));
        Create("job", null);
        EndpointState alone = Backend("job1", "job", "true");
        rig.Probes.Clear();
        HealthProbe probe = Asked("job1");
        Assert.Equal((HealthKind.Unspecified, 0, "true", TimeSpan.FromSeconds(3)), (probe.Kind, probe.Port, probe.Command, probe.Timeout));
        Tell(probe, null);
        Assert.Equal(EndpointHealth.Healthy, Now(alone).Health);
        rig.Boot();
        rig.Probes.Clear();
        Assert.Equal("true", Asked("job1").Command);
    }

    [Fact]
    public void Without_a_check_nobody_is_asked_and_all_are_in_names()
    {
        Create("job", null);
        EndpointState backend = Backend("job1", "job");
        EndpointState plain = rig.Granted(rig.Attach(rig.Command("box") with { HealthCommand = "true" }));
        rig.Sleep(TimeSpan.FromMinutes(1));
        Assert.Empty(rig.Probes);
        Assert.Equal((EndpointHealth.Unspecified, EndpointHealth.Unspecified, ""), (Now(backend).Health, Now(plain).Health, Now(plain).HealthCommand));
        Assert.NotNull(Look("tasks.job"));
    }

    [Fact]
    public void A_check_that_comes_later_takes_nobody_out_until_it_has_failed()
    {
        Create("job", null);
        EndpointState backend = Backend("job1", "job");
        Change("job", static s => s.Health = new() { Kind = HealthKind.Tcp, Port = 7, IntervalMs = 1000, TimeoutMs = 500, Retries = 1 });
        Assert.Equal(EndpointHealth.Healthy, Now(backend).Health);
        Assert.NotNull(Look("tasks.job"));
        Tell(Asked(), Refused);
        Assert.Null(Look("tasks.job"));
        Change("job", static s => s.Health.Port = 8);
        Assert.Null(Look("tasks.job"));
        rig.Probes.Clear();
        HealthProbe probe = Asked();
        Assert.Equal(8, probe.Port);
        Change("job", static s => s.Health = null);
        Assert.NotNull(Look("tasks.job"));
        Assert.Equal(EndpointHealth.Unspecified, Now(backend).Health);
        Tell(probe, Refused);
        Assert.NotNull(Look("tasks.job"));
        Assert.Equal("", rig.Events.OfType<NodeEvent.HealthChanged>().Last().Health);
    }

    [Fact]
    public void With_its_service_or_itself_gone_it_is_asked_no_more()
    {
        EndpointState backend = Backend("web1");
        Tell(Asked(), null);
        rig.World.Do(rig.World.Intent.RemoveService("web"));
        rig.Assign();
        Assert.Equal(EndpointHealth.Unspecified, Now(backend).Health);
        rig.Probes.Clear();
        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.Empty(rig.Probes);

        web = Create("web", new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 1000 });
        EndpointState other = Backend("web2");
        HealthProbe probe = Asked();
        rig.Detached(other);
        Tell(probe, null);
        rig.Probes.Clear();
        rig.Sleep(TimeSpan.FromSeconds(30));
        Assert.Empty(rig.Probes);
    }

    [Fact]
    public void What_comes_back_in_place_of_a_lost_sandbox_has_to_start_and_meanwhile_nobody_is_asked()
    {
        NodeRig.Peer peer = Peer(3);
        EndpointState backend = Backend("web1");
        Tell(Asked(), null);
        rig.KernelRefuses["web1"] = ("no such namespace", true);
        rig.Program();
        rig.Probes.Clear();
        rig.Sleep(TimeSpan.FromSeconds(10));
        Assert.Empty(rig.Probes);
        rig.KernelRefuses.Clear();
        rig.Program();
        Assert.Equal(EndpointHealth.Starting, Now(backend).Health);
        Assert.Equal(EndpointHealth.Starting, HeardBy(peer, backend));
        AssertOut(backend);
        Tell(Asked(), null);
        AssertIn(backend);
    }

    [Fact]
    public void One_whose_kernel_refused_for_a_while_is_what_it_was()
    {
        EndpointState backend = Backend("web1");
        Tell(Asked(), null);
        rig.KernelRefuses["web1"] = ("busy", false);
        rig.Program();
        rig.KernelRefuses.Clear();
        rig.Program();
        AssertIn(backend);
    }

    [Fact]
    public void Published_ports_lead_to_those_that_are_well_with_or_without_a_virtual_address()
    {
        foreach ((string name, EndpointMode mode) in new[] { ("api", EndpointMode.Vip), ("rr", EndpointMode.Dnsrr) })
        {
            rig.World.Do(rig.World.Intent.CreateService(rig.World.Service(name, "blue", mode) with
            {
                Health = new() { Kind = HealthKind.Tcp, Port = 80, IntervalMs = 1000, Retries = 1 },
                Ports = [new() { Protocol = PortProtocol.Tcp, Target = 80, Mode = PublishMode.Host }],
            }));
            rig.Assign();
            Backend($"{name}1", name);
            Assert.DoesNotContain(rig.Mind.Inputs().Ports, p => p.Service == name);
            long before = rig.Mind.DataplaneRevision;
            Tell(Asked($"{name}1"), null);
            Assert.True(rig.Mind.DataplaneRevision > before);
            Assert.Single(rig.Mind.Inputs().Ports, p => p.Service == name);
            before = rig.Mind.DataplaneRevision;
            Tell(Asked($"{name}1"), Refused);
            Assert.True(rig.Mind.DataplaneRevision > before);
            Assert.DoesNotContain(rig.Mind.Inputs().Ports, p => p.Service == name);
        }
    }

    [Fact]
    public void A_reason_without_end_is_cut()
    {
        EndpointState backend = Backend("web1");
        Tell(Asked(), new string('x', 5000));
        Assert.Equal(200, Now(backend).HealthReason.Length);
    }

    private ServiceObject Create(string name, HealthCheck? check)
    {
        ServiceObject made = rig.World.Do(rig.World.Intent.CreateService(
            rig.World.Service(name, "blue", name == "web" ? EndpointMode.Vip : EndpointMode.Dnsrr) with { Health = check }));
        rig.Assign();
        return made;
    }

    private void Change(string name, Action<ServiceObject> change)
    {
        ServiceObject changed = rig.World.State.ServiceNamed(name)!.Clone();
        change(changed);
        rig.World.Apply(new() { Actions = { new StoreAction { Update = new() { Service = changed } } } });
        rig.Assign();
    }

    private EndpointState Backend(string sandbox, string service = "web", string command = "") =>
        rig.Granted(rig.Attach(rig.Command(sandbox) with { Service = service, HealthCommand = command }));

    private EndpointState Now(EndpointState endpoint) => rig.Endpoints.Single(e => e.Id == endpoint.Id);

    /// <summary>The next question, as time brings it.</summary>
    private HealthProbe Asked(string name = "")
    {
        for (int i = 0; i < 120 && !rig.Probes.Exists(p => name.Length == 0 || p.Name == name); i++)
        {
            rig.Sleep(TimeSpan.FromMilliseconds(100));
        }

        HealthProbe probe = rig.Probes.First(p => name.Length == 0 || p.Name == name);
        rig.Probes.Remove(probe);
        return probe;
    }

    private void Tell(HealthProbe probe, string? fault) => rig.Do((n, now, e) => n.HealthTold(probe.Endpoint, probe.Question, fault, now, e));

    private void AssertIn(EndpointState backend)
    {
        Assert.Equal([backend.Ipv4!.ToString()], Look("tasks.web"));
        Assert.Equal([backend.Ipv4], Balanced());
    }

    private void AssertOut(EndpointState backend)
    {
        Assert.Null(Look("tasks.web"));
        Assert.Empty(Balanced());
        Assert.Equal([backend.Ipv4!.ToString()], Look("web1"));
    }

    private IEnumerable<IPAddress?> Balanced() => Assert.Single(rig.Mind.Inputs().Services).Backends.Select(static b => b.Ipv4);

    private NodeRig.Peer Peer(ulong number)
    {
        rig.World.AddNode(number);
        rig.Assign();
        return rig.StartPeer(number, 100 + number);
    }

    private void Tell(NodeRig.Peer peer, EndpointHealth health)
    {
        EndpointRecord record = new()
        {
            Name = "web3",
            Ipv4 = "10.0.0.20",
            Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, 3),
            ServiceId = web.Id,
            Health = health,
        };
        rig.Speak(peer, (s, now, e) => Assert.Equal(PutOutcome.Done, s.Put(rig.Blue.Id, new EndpointId(903).ToString(), record.ToByteArray(), now, e)));
    }

    private EndpointHealth HeardBy(NodeRig.Peer peer, EndpointState endpoint) =>
        EndpointRecord.Parser.ParseFrom(peer.Swim.Entries(rig.Blue.Id).Single(e => e.Key == endpoint.Id.ToString()).Value.Span).Health;

    private Zone Zone() => rig.Mind.SandboxZones().Values.First()[0];

    /// <summary>What a sandbox on blue gets for a name; null: the name is none of ours.</summary>
    private List<string>? Look(string name)
    {
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query(name, RecordType.A), zones: [new ZoneIndex(Zone())]);
        return answer is { Outcome: AnswerOutcome.Answered, Code: ResponseCode.NoError } && Packets.Addresses(packet) is { Count: > 0 } found
            ? found
            : null;
    }
}
