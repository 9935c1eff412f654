using System.Net;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Dns;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Dns;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Backends of services: attached with one, told by gossip, and what the service's names answer.</summary>
public sealed class ServiceTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");
    private readonly ServiceObject web;

    public ServiceTests() => web = Create("web");

    [Fact]
    public void A_service_answers_with_all_its_backends_of_both_families_and_of_all_nodes()
    {
        EndpointState first = Backend("web1", "web");
        EndpointState second = Backend("web2", "WEB");
        rig.Attached("other");
        Tell(Peer(3), "web3", "10.0.0.20", "fd00::20", web.Id);
        string[] ipv4 = Sorted(first.Ipv4!, second.Ipv4!, IPAddress.Parse("10.0.0.20"));
        string[] ipv6 = Sorted(first.Ipv6!, second.Ipv6!, IPAddress.Parse("fd00::20"));
        foreach (string name in new[] { "web", "Tasks.Web", "web.blue", "tasks.web.blue" })
        {
            Assert.Equal(ipv4, Look(name));
            Assert.Equal(ipv6, Look(name, RecordType.Aaaa));
        }

        Assert.Equal(["10.0.0.20"], Look("web3"));
        Assert.Null(Look("other.web"));
        Assert.Null(Look("tasks"));
        Assert.Equal(web.Id, first.Service.ToString());
    }

    [Fact]
    public void An_address_leads_back_to_the_endpoint_and_not_to_the_service()
    {
        EndpointState backend = Backend("web1", "web");
        Assert.Equal("web1", Zone().Endpoints.Single(e => Equals(e.Ipv4, backend.Ipv4)).Names[0]);
    }

    [Fact]
    public void Two_services_are_kept_apart()
    {
        Create("api");
        EndpointState one = Backend("web1", "web");
        EndpointState two = Backend("api1", "api");
        Assert.Equal([one.Ipv4!.ToString()], Look("web"));
        Assert.Equal([two.Ipv4!.ToString()], Look("tasks.api"));
    }

    [Fact]
    public void A_service_without_backends_has_no_name()
    {
        rig.Attached("other");
        Assert.Null(Look("web"));
        EndpointState backend = Backend("web1", "web");
        Assert.NotNull(Look("web"));
        rig.Detached(backend);
        Assert.Null(Look("web"));
        Assert.Null(Look("tasks.web"));
    }

    [Fact]
    public void What_is_drained_or_failed_leaves_the_name_and_comes_back()
    {
        EndpointState here = Backend("web1", "web");
        EndpointState watcher = rig.Attached("watcher");
        Tell(Peer(3), "web3", "10.0.0.20", "", web.Id);
        Want(3, NodeAvailability.Drain);
        Assert.Equal([here.Ipv4!.ToString()], Look("web"));
        Want(3, NodeAvailability.Active);
        rig.KernelRefuses["web1"] = ("no such namespace", true);
        rig.Program();
        Assert.Equal(["10.0.0.20"], Look("web"));
        rig.KernelRefuses.Clear();
        rig.Program();
        Assert.Equal(Sorted(here.Ipv4!, IPAddress.Parse("10.0.0.20")), Look("web"));
        Want(NodeRig.Number, NodeAvailability.Drain);
        Assert.Equal(["10.0.0.20"], Look("web"));
        Assert.NotEqual(watcher.Id, here.Id);
    }

    [Fact]
    public void A_removed_service_leaves_its_endpoints_and_a_namesake_does_not_inherit_them()
    {
        EndpointState backend = Backend("web1", "web");
        Remove("web");
        Assert.Null(Look("web"));
        Assert.Equal([backend.Ipv4!.ToString()], Look("web1"));
        Assert.Null(rig.Mind.ServiceOf(rig.BlueId, backend.Service));
        Create("web");
        Assert.Null(Look("web"));
        Assert.Equal(["create", "remove", "create"], rig.Events.OfType<NodeEvent.ServiceChanged>().Select(static e => e.Action));
    }

    [Fact]
    public void A_record_counts_once_its_service_is_known_and_only_on_the_service_s_network()
    {
        rig.Attached("box");
        rig.World.Create("green", "10.1.0.0/24");
        ServiceObject elsewhere = Create("far", "green");
        ServiceObject late = rig.World.CreateService("late", "blue");
        NodeRig.Peer peer = Peer(3, assign: false);
        Tell(peer, "a", "10.0.0.20", "", late.Id);
        Tell(peer, "b", "10.0.0.21", "", elsewhere.Id);
        Assert.Null(Look("late"));
        rig.Assign();
        Assert.Equal(["10.0.0.20"], Look("late"));
        Assert.Null(Look("far"));
        Assert.Equal(["10.0.0.21"], Look("b"));
    }

    [Theory]
    [InlineData("x", 1u)]
    [InlineData("", 65536u)]
    public void A_record_with_a_service_or_weight_that_is_none_is_refused(string service, uint weight)
    {
        rig.Attached("box");
        Tell(Peer(3), "a", "10.0.0.20", "", service, weight);
        Assert.Empty(rig.Mind.RemotesOn(rig.BlueId));
        Assert.Contains("service", Assert.Single(rig.Events.OfType<NodeEvent.RecordRejected>()).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void Service_and_weight_are_gossiped()
    {
        EndpointState backend = rig.Granted(rig.Attach(rig.Command("web1") with { Service = web.Id[..12], Weight = 65535 }));
        EndpointRecord record = EndpointRecord.Parser.ParseFrom(Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id)).Value.Span);
        Assert.Equal((web.Id, 65535u), (record.ServiceId, record.Weight));
        Assert.Equal(65535, backend.Weight);
    }

    [Fact]
    public void Both_survive_a_restart_without_a_manager_here_and_of_others()
    {
        EndpointState backend = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 7 }));
        Tell(Peer(3), "web3", "10.0.0.20", "", web.Id, 9);
        rig.Sleep(TimeSpan.FromSeconds(6));
        rig.ManagerAnswers = false;
        rig.Boot();
        EndpointState after = Assert.Single(rig.Endpoints);
        Assert.Equal((backend.Service, 7), (after.Service, after.Weight));
        RemoteEndpointRecord remote = Assert.Single(rig.Mind.RemotesOn(rig.BlueId));
        Assert.Equal((web.Id, 9), (remote.Service.ToString(), remote.Weight));
        Assert.Equal(Sorted(backend.Ipv4!, IPAddress.Parse("10.0.0.20")), Look("web"));
    }

    [Fact]
    public void A_new_service_changes_nothing_in_the_kernel_and_is_on_disk_soon()
    {
        rig.Attached("box");
        (long dataplane, long persist) = (rig.Mind.DataplaneRevision, rig.Mind.PersistRevision);
        Create("api");
        Remove("web");
        Assert.Equal((dataplane, persist), (rig.Mind.DataplaneRevision, rig.Mind.PersistRevision));
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Equal(["api"], rig.Disk!.Assignment.Upserts.Select(static u => u.Service?.Name).OfType<string>());
    }

    [Fact]
    public void A_service_that_does_not_exist() => rig.Refused(
        rig.Command("box") with { Service = "wbe" }, RefusalKind.NotFound, "no service 'wbe'",
        "overlayd service create wbe --network blue`", "overlayd service ls");

    [Fact]
    public void What_cannot_be_a_service_s_name_is_not_to_be_typed_again() => Assert.Equal(
        "Type `overlayd service ls` to see the names.",
        rig.Refused(rig.Command("box") with { Service = "w\nb" }, RefusalKind.NotFound, "'w?b'").Next);

    [Fact]
    public void A_service_of_another_network()
    {
        rig.World.Create("green", "10.1.0.0/24");
        Create("far", "green");
        rig.Refused(
            rig.Command("box") with { Service = "far" }, RefusalKind.Conflict, "Service far is on network green", "Attach to green");
        Assert.Empty(rig.Endpoints);
    }

    [Theory]
    [InlineData("web")]
    [InlineData("WEB")]
    public void A_service_s_name_is_not_an_endpoint_s(string name)
    {
        rig.Refused(rig.Command("box", name), RefusalKind.Conflict, "Service web of blue", "--name", "--service web");
        rig.Refused(rig.Command(name.ToLowerInvariant()) with { Service = "web" }, RefusalKind.Conflict, "--name");
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        rig.Granted(rig.Attach(rig.Command("box", name) with { Network = "green" }));
    }

    [Fact]
    public void An_endpoint_that_was_there_before_a_service_of_its_name_shares_it()
    {
        EndpointState box = rig.Attached("box");
        Create("box");
        Assert.Equal([box.Ipv4!.ToString()], Look("box"));
        EndpointState backend = Backend("box1", "box");
        Assert.Equal(Sorted(box.Ipv4!, backend.Ipv4!), Look("box"));
        Assert.Equal([backend.Ipv4!.ToString()], Look("tasks.box"));
    }

    [Fact]
    public void An_attach_that_waits_ends_when_its_service_is_another_one()
    {
        rig.ManagerAnswers = false;
        long request = rig.Attach(rig.Command("web1") with { Service = "web", Ipv4 = IPAddress.Parse("10.0.0.250") });
        Assert.False(rig.IsAnswered(request));
        rig.World.Do(rig.World.Intent.RemoveService("web"));
        Create("web");
        rig.Refused(request, RefusalKind.Conflict, "made anew", "Attach again");
        Assert.Empty(rig.Endpoints);
    }

    private ServiceObject Create(string name, string network = "blue")
    {
        ServiceObject made = rig.World.CreateService(name, network);
        rig.Assign();
        return made;
    }

    private void Remove(string name)
    {
        rig.World.Do(rig.World.Intent.RemoveService(name));
        rig.Assign();
    }

    private EndpointState Backend(string sandbox, string service) =>
        rig.Granted(rig.Attach(rig.Command(sandbox) with { Service = service }));

    private NodeRig.Peer Peer(ulong number, bool assign = true)
    {
        rig.World.AddNode(number);
        if (assign)
        {
            rig.Assign();
        }

        return rig.StartPeer(number, 100 + number);
    }

    private void Tell(NodeRig.Peer peer, string name, string ipv4, string ipv6, string service, uint weight = 0)
    {
        EndpointRecord record = new()
        {
            Name = name,
            Ipv4 = ipv4,
            Ipv6 = ipv6,
            Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, (byte)name[^1]),
            ServiceId = service,
            Weight = weight,
        };
        string key = new EndpointId(900UL + name[^1]).ToString();
        rig.Speak(peer, (s, now, e) => Assert.Equal(PutOutcome.Done, s.Put(rig.Blue.Id, key, record.ToByteArray(), now, e)));
    }

    private void Want(ulong node, NodeAvailability wanted)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(node), new() { Availability = wanted }));
        rig.Assign();
    }

    private Zone Zone() => rig.Mind.SandboxZones().Values.First()[0];

    /// <summary>What a sandbox on blue gets for a name; null: the name is none of ours.</summary>
    private List<string>? Look(string name, RecordType type = RecordType.A)
    {
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query(name, type), zones: [new ZoneIndex(Zone())]);
        return answer is { Outcome: AnswerOutcome.Answered, Code: ResponseCode.NoError } && Packets.Addresses(packet) is { Count: > 0 } found
            ? found
            : null;
    }

    private static string[] Sorted(params IPAddress[] addresses) =>
        [.. addresses.Select(static a => a.ToString()).Order(StringComparer.Ordinal)];
}
