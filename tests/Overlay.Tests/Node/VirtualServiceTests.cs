using System.Net;
using Google.Protobuf;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Gossip.Tables;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Tests.Dns;
using Overlay.V1;

namespace Overlay.Tests.Node;

/// <summary>Services with a virtual address: what their names answer, and what sandboxes balance.</summary>
public sealed class VirtualServiceTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");
    private readonly ServiceObject web;

    public VirtualServiceTests() => web = Create("web");

    [Fact]
    public void Its_name_answers_with_the_virtual_address_and_tasks_with_the_backends()
    {
        EndpointState backend = Backend("web1");
        Tell("web3", 3, "10.0.0.20", "fd00::20");
        foreach (string name in new[] { "web", "WEB.blue" })
        {
            Assert.Equal(["10.0.0.127"], Look(name));
            Assert.Equal(["fd00::ffff"], Look(name, RecordType.Aaaa));
        }

        Assert.Equal(new[] { backend.Ipv4!.ToString(), "10.0.0.20" }.Order(StringComparer.Ordinal), Look("tasks.web"));
        Assert.Equal([backend.Ipv4!.ToString()], Look("web1"));
        Zone zone = rig.Mind.SandboxZones().Values.First()[0];
        Assert.Equal("web", zone.Endpoints.Single(static e => Equals(e.Ipv4, IPAddress.Parse("10.0.0.127"))).Names[0]);
    }

    [Fact]
    public void It_has_its_name_without_backends_until_it_goes()
    {
        rig.Attached("box");
        Assert.Equal(["10.0.0.127"], Look("web"));
        Assert.Null(Look("tasks.web"));
        Remove("web");
        Assert.Null(Look("web"));
    }

    [Fact]
    public void Sandboxes_balance_over_the_backends_that_names_lead_to()
    {
        EndpointState here = rig.Granted(rig.Attach(rig.Command("web1") with { Service = "web", Weight = 7 }));
        rig.Attached("box");
        NodeRig.Peer peer = Tell("web3", 3, "10.0.0.20", "", 9);
        VirtualService service = Assert.Single(rig.Mind.Inputs().Services);
        Assert.Equal(
            ("web", rig.BlueId, "10.0.0.127", "fd00::ffff", Scheduler.Wrr),
            (service.Name, service.Network, service.Ipv4!.ToString(), service.Ipv6!.ToString(), service.Scheduler));
        Assert.Equal([new(here.Ipv4, here.Ipv6, 7), new(IPAddress.Parse("10.0.0.20"), null, 9)], service.Backends);

        Want(3, NodeAvailability.Drain);
        Assert.Equal([here.Ipv4], Balanced());
        Want(3, NodeAvailability.Active);
        Want(NodeRig.Number, NodeAvailability.Drain);
        Assert.Equal([IPAddress.Parse("10.0.0.20")], Balanced());
        Want(NodeRig.Number, NodeAvailability.Active);
        rig.Speak(peer, (s, now, e) => s.Delete(rig.Blue.Id, KeyOf("web3"), now, e));
        Assert.Equal([here.Ipv4], Balanced());
        rig.Detached(here);
        Assert.Empty(Balanced());
    }

    [Fact]
    public void Backends_of_the_clients_own_node_come_first_or_are_the_only_ones_where_that_is_wanted()
    {
        EndpointState here = Backend("web1");
        rig.Attached("box");
        Tell("web3", 3, "10.0.0.20", "", 9);
        IPAddress there = IPAddress.Parse("10.0.0.20");
        Assert.Equal([here.Ipv4, there], Balanced());
        Prefer("prefer");
        Assert.Equal([here.Ipv4], Balanced());
        Want(NodeRig.Number, NodeAvailability.Drain);
        Assert.Equal([there], Balanced());
        Prefer("require");
        Assert.Empty(Balanced());
        Want(NodeRig.Number, NodeAvailability.Active);
        Assert.Equal([here.Ipv4], Balanced());
        Prefer("off");
        Assert.Equal([here.Ipv4, there], Balanced());
        Assert.Equal(2, Look("tasks.web")!.Count);
    }

    [Fact]
    public void A_backend_that_the_kernel_refuses_is_balanced_no_more_and_again_when_it_is_back()
    {
        EndpointState here = Backend("web1");
        rig.Attached("box");
        rig.KernelRefuses["web1"] = ("no such namespace", true);
        long before = rig.Mind.DataplaneRevision;
        rig.Program();
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.Empty(Balanced());
        rig.KernelRefuses.Clear();
        before = rig.Mind.DataplaneRevision;
        rig.Program();
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.Equal([here.Ipv4], Balanced());
        before = rig.Mind.DataplaneRevision;
        rig.Program();
        Assert.Equal(before, rig.Mind.DataplaneRevision);
    }

    [Fact]
    public void It_reaches_the_kernel_and_the_disk_at_once_where_its_network_is_in_use()
    {
        long before = rig.Mind.DataplaneRevision;
        Create("early");
        Assert.Equal(before, rig.Mind.DataplaneRevision);
        rig.Attached("box");
        (before, long persist) = (rig.Mind.DataplaneRevision, rig.Mind.PersistRevision);
        Create("api");
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.True(rig.Mind.PersistRevision > persist);
        Assert.Equal(["api", "early", "web"], rig.Mind.Inputs().Services.Select(static s => s.Name).Order(StringComparer.Ordinal));
        (before, persist) = (rig.Mind.DataplaneRevision, rig.Mind.PersistRevision);
        Remove("api");
        Assert.True(rig.Mind.DataplaneRevision > before);
        Assert.True(rig.Mind.PersistRevision > persist);
    }

    [Fact]
    public void A_restart_without_a_manager_balances_as_before()
    {
        EndpointState here = Backend("web1");
        Tell("web3", 3, "10.0.0.20", "", 9);
        rig.Sleep(TimeSpan.FromSeconds(6));
        VirtualService before = Assert.Single(rig.Mind.Inputs().Services);
        rig.ManagerAnswers = false;
        rig.Boot();
        VirtualService after = Assert.Single(rig.Mind.Inputs().Services);
        Assert.Equal(before.Backends, after.Backends);
        Assert.Equal(before with { Backends = [] }, after with { Backends = [] });
        Assert.Contains(here.Ipv4, Balanced());
    }

    [Fact]
    public void One_that_an_earlier_manager_stored_answers_with_its_backends()
    {
        ServiceObject old = new() { Id = new ServiceId(77).ToString(), Name = "old", NetworkId = rig.Blue.Id, EndpointMode = EndpointMode.Vip };
        rig.World.Apply(new() { Actions = { new StoreAction { Create = new() { Service = old } } } });
        rig.Assign();
        EndpointState backend = rig.Granted(rig.Attach(rig.Command("old1") with { Service = "old" }));
        Assert.Equal([backend.Ipv4!.ToString()], Look("old"));
        Assert.DoesNotContain(rig.Mind.Inputs().Services, static s => s.Name == "old");
    }

    [Fact]
    public void Its_name_is_not_an_endpoint_s() => rig.Refused(
        rig.Command("box", "web"), Overlay.Cluster.RefusalKind.Conflict, "Service web of blue", "--name");

    [Fact]
    public void A_sandbox_is_cleared_after_its_last_endpoint_also_by_the_next_life()
    {
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        EndpointState first = rig.Attached("box");
        EndpointState second = rig.Granted(rig.Attach(rig.Command("box") with { Network = "green" }));
        rig.Detached(second);
        Assert.Empty(rig.Mind.Inputs().LeftSandboxes);
        rig.KernelAnswers = false;
        rig.Detach(first.Id.ToString());
        Assert.Equal([first.Sandbox], rig.Mind.Inputs().LeftSandboxes);
        rig.Boot();
        Assert.Equal([first.Sandbox], rig.Mind.Inputs().LeftSandboxes);
        rig.KernelAnswers = true;
        rig.Program();
        Assert.Empty(rig.Mind.Inputs().LeftSandboxes);
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Empty(rig.Disk!.LeftSandboxes);
    }

    private ServiceObject Create(string name)
    {
        ServiceObject made = rig.World.Do(rig.World.Intent.CreateService(rig.World.Service(name, "blue", EndpointMode.Vip)));
        rig.Assign();
        return made;
    }

    private void Remove(string name)
    {
        rig.World.Do(rig.World.Intent.RemoveService(name));
        rig.Assign();
    }

    private EndpointState Backend(string sandbox) => rig.Granted(rig.Attach(rig.Command(sandbox) with { Service = "web" }));

    private IEnumerable<IPAddress?> Balanced() => Assert.Single(rig.Mind.Inputs().Services).Backends.Select(static b => b.Ipv4);

    private static string KeyOf(string name) => new EndpointId(900UL + name[^1]).ToString();

    private NodeRig.Peer Tell(string name, ulong node, string ipv4, string ipv6, uint weight = 0)
    {
        rig.World.AddNode(node);
        rig.Assign();
        NodeRig.Peer peer = rig.StartPeer(node, 100 + node);
        EndpointRecord record = new()
        {
            Name = name,
            Ipv4 = ipv4,
            Ipv6 = ipv6,
            Mac = ByteString.CopyFrom(2, 0, 0, 0, 3, (byte)name[^1]),
            ServiceId = web.Id,
            Weight = weight,
        };
        rig.Speak(peer, (s, now, e) => Assert.Equal(PutOutcome.Done, s.Put(rig.Blue.Id, KeyOf(name), record.ToByteArray(), now, e)));
        return peer;
    }

    private void Prefer(string locality)
    {
        rig.World.Do(rig.World.Intent.EditService("web", new() { Locality = locality }));
        rig.Assign();
    }

    private void Want(ulong node, NodeAvailability wanted)
    {
        rig.World.Do(rig.World.Intent.EditNode(Cluster.World.NodeIdOf(node), new() { Availability = wanted }));
        rig.Assign();
    }

    /// <summary>What a sandbox on blue gets for a name; null: the name is none of ours.</summary>
    private List<string>? Look(string name, RecordType type = RecordType.A)
    {
        Zone zone = rig.Mind.SandboxZones().Values.First()[0];
        (Answer answer, byte[] packet) = Packets.Ask(Packets.Query(name, type), zones: [new ZoneIndex(zone)]);
        return answer is { Outcome: AnswerOutcome.Answered, Code: ResponseCode.NoError } && Packets.Addresses(packet) is { Count: > 0 } found
            ? found
            : null;
    }
}
