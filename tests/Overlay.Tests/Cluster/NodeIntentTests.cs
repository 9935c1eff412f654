using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public class NodeIntentTests
{
    [Fact]
    public void A_cluster_begins_with_defaults_and_a_manager()
    {
        World world = new();
        ClusterObject cluster = world.State.Cluster!;
        Assert.Equal(["10.0.0.0/8"], cluster.DefaultPools);
        Assert.Equal(24u, cluster.DefaultPoolPrefix);
        Assert.Equal(4789u, cluster.VxlanPort);
        Assert.Equal(60, cluster.QuarantineSeconds);
        Assert.Equal(1UL, Assert.Single(cluster.GossipKeys).Epoch);
        Assert.Equal(NodeRole.Manager, Assert.Single(world.State.Nodes).Role);
        Refused(world.Intent.Bootstrap(Spec()), RefusalKind.Conflict, "cluster1", "leave");
    }

    [Fact]
    public void Impossible_beginnings_are_refused()
    {
        static void Invalid(BootstrapSpec spec, string fragment) =>
            Refused(new Intent(ClusterState.Empty, "", 1).Bootstrap(spec), RefusalKind.Invalid, fragment);

        Invalid(Spec("10.0.0.0/25"), "No subnet of length 24 fits into the pool 10.0.0.0/25");
        Invalid(Spec("fd00::/65"), "No subnet of length 64");
        Invalid(Spec("10.0.0.0/8", "10.4.0.0/16"), "overlaps 10.0.0.0/8");
        Invalid(Spec("ten"), "--default-address-pool");
        Invalid(Spec([.. Enumerable.Range(0, 17).Select(i => $"10.{i}.0.0/16")]), "17 address pools");
        Invalid(Spec() with { DefaultPoolPrefix = 30 }, "from 8 to 29");
        Invalid(Spec() with { VxlanPort = 65536 }, "from 1 to 65535");
        Invalid(Spec() with { CertificateLifeSeconds = 59 }, "--certificate-life");
        Invalid(Spec() with { QuarantineSeconds = -1 }, "quarantine");
        NodeObject nameless = World.Node(1, NodeRole.Manager);
        nameless.Hostname = "";
        Invalid(Spec() with { FirstManager = nameless }, "not a host name");
    }

    [Fact]
    public void Without_a_cluster_nothing_else_is_possible()
    {
        Intent intent = new(ClusterState.Empty, "", 1);
        Refused(intent.AddNode(World.Node(2)), RefusalKind.NotInCluster, "overlayd init");
        Refused(intent.RemoveNetwork("x"), RefusalKind.NotInCluster);
        Assert.Empty(intent.SweepQuarantine().Actions);
    }

    [Fact]
    public void Request_ids_are_bounded()
    {
        World world = new();
        Intent intent = new(world.State, new string('r', 129), 1);
        Refused(intent.AddNode(World.Node(2)), RefusalKind.Invalid, "129");
        Assert.Equal("r", new Intent(world.State, "r", 5).AddNode(World.Node(2)).Value.Transaction.RequestId);
    }

    [Fact]
    public void A_new_node_gets_a_block_of_every_network_and_family()
    {
        World world = new();
        NetworkObject blue = world.Create(world.Network("blue") with { Ipv6 = true });
        NetworkObject green = world.Create("green");
        NodeObject node = world.AddNode(2);

        Assert.Equal(world.Now, node.CreatedUnixMs);
        Assert.Equal(2, world.LeasesOf(blue, node.Id).Length);
        Assert.Single(world.LeasesOf(green, node.Id));
        Check(world.State);
    }

    [Fact]
    public void Leasing_ahead_stops_at_half()
    {
        World world = new();
        NetworkObject small = world.Create("small", "10.9.0.0/28");
        for (ulong i = 2; i <= 20; i++)
        {
            world.AddNode(i);
        }

        Assert.Equal(8, world.LeasesOf(small).Length);
        Check(world.State);
        Assert.NotNull(world.Do(world.Intent.LeaseBlock(small.Id, 0, false, NodeIdOf(20))));
    }

    [Fact]
    public void A_network_made_late_is_leased_to_all()
    {
        World world = new();
        world.AddNode(2);
        world.AddNode(3);
        NetworkObject blue = world.Create("blue");
        Assert.Equal(
            ["10.0.0.128/28", "10.0.0.144/28", "10.0.0.160/28"],
            world.LeasesOf(blue).OrderBy(lease => lease.NodeId, StringComparer.Ordinal).Select(lease => lease.Block));
    }

    [Fact]
    public void Nodes_that_cannot_be_are_refused()
    {
        World world = new();
        void Invalid(Action<NodeObject> spoil, string fragment, RefusalKind kind = RefusalKind.Invalid)
        {
            NodeObject node = World.Node(2);
            spoil(node);
            Refused(world.Intent.AddNode(node), kind, fragment);
        }

        Invalid(node => node.Id = "a/b", "not a node id");
        Invalid(node => node.Hostname = "", "not a host name");
        Invalid(node => node.Hostname = "a\nb", "not a host name");
        Invalid(node => node.Hostname = new('a', 254), "not a host name");
        Invalid(node => node.GossipAddress = "192.0.2.2", "not an address and a port");
        Invalid(node => node.GossipAddress = "name:7946", "not an address and a port");
        Invalid(node => node.DataPathAddress = "192.0.2", "not an address");
        Invalid(node => node.ControlAddress = "x", "control address");
        Invalid(node => node.Role = NodeRole.Manager, "says none");
        Invalid(node => node.Role = NodeRole.Unspecified, "worker or a manager");
        Invalid(node => node.AgentVersion = new('1', 65), "agent's version");
        Invalid(node => node.Labels.Add("a b", ""), "label");
        Invalid(node => node.Routes.Add(Route("10.0.0.1/8")), "not a route");
        Invalid(node => node.Routes.Add(Route("10.0.0.0/8", new('d', 65))), "not a route");
        Invalid(node => node.Routes.AddRange(Enumerable.Repeat(Route("10.0.0.0/8"), 4097)), "4097 routes");
        Invalid(node => node.Id = NodeIdOf(1), $"Node {NodeIdOf(1)} is in the cluster", RefusalKind.Conflict);
        Invalid(node => node.GossipAddress = "192.0.2.1:7946", "host1", RefusalKind.Conflict);
        Invalid(node => node.DataPathAddress = "192.0.2.1", "node rm --force", RefusalKind.Conflict);
    }

    [Fact]
    public void A_description_changes_only_what_the_node_says_of_itself()
    {
        World world = new();
        NodeObject node = World.Node(2);
        node.Labels.Add("rack", "7");
        world.Do(world.Intent.AddNode(node));
        NodeObject description = World.Node(2, NodeRole.Manager);
        description.Hostname = "renamed";
        description.Routes.Add(Route("10.0.0.0/24"));
        world.Do(world.Intent.UpdateNode(description));

        NodeObject present = world.State.Node(NodeIdOf(2))!;
        Assert.Equal("renamed", present.Hostname);
        Assert.Single(present.Routes);
        Assert.Equal(NodeRole.Worker, present.Role);
        Assert.Equal("7", present.Labels["rack"]);
        Assert.Equal(world.Now, present.CreatedUnixMs);
        Assert.True(world.Intent.UpdateNode(description).Value.IsEmpty);

        description.GossipAddress = "192.0.2.1:7946";
        Refused(world.Intent.UpdateNode(description), RefusalKind.Conflict, "host1");
        description.GossipAddress = "nowhere";
        Refused(world.Intent.UpdateNode(description), RefusalKind.Invalid, "'nowhere'");
        Refused(world.Intent.UpdateNode(World.Node(9)), RefusalKind.NotInCluster, NodeIdOf(9));
    }

    [Fact]
    public void A_removed_node_s_addresses_rest_and_then_are_free()
    {
        World world = new();
        world.AddNode(2);
        NetworkObject blue = world.Create("blue", "10.9.0.0/29");
        LeaseObject lease = world.LeasesOf(blue, NodeIdOf(2)).Single();
        world.Do(world.Intent.RemoveNode("host2", force: false));
        Assert.Equal(world.Now, world.State.Lease(lease.Id)!.ReleasedUnixMs);
        while (!world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)).IsRefused)
        {
            LeaseObject other = world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)));
            Assert.NotEqual(lease.Block, other.Block);
        }

        Refused(
            world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)), RefusalKind.Exhausted,
            "'blue'", "10.9.0.0/29", "node host1 holds 4 blocks", "1 rest until");
        world.Now += Quarantine - 1;
        Assert.Empty(world.Intent.SweepQuarantine().Actions);
        world.Now++;
        world.Apply(world.Intent.SweepQuarantine());
        Assert.Null(world.State.Lease(lease.Id));
        Assert.Equal(lease.Block, world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1))).Block);
        Check(world.State);
    }

    [Fact]
    public void Removals_that_would_hurt_need_force_or_are_refused()
    {
        World world = new();
        world.AddNode(2);
        Refused(world.Intent.RemoveNode("nobody", force: true), RefusalKind.NotFound, "node ls");
        Refused(world.Intent.RemoveNode("host2", force: false, alive: true), RefusalKind.Conflict, "alive", "--force");
        Refused(world.Intent.RemoveNode("host1", force: true), RefusalKind.Conflict, "only manager");
        NodeObject second = World.Node(3, NodeRole.Manager);
        world.Do(world.Intent.AddNode(second));
        Refused(world.Intent.RemoveNode("host3", force: false), RefusalKind.Conflict, "manager", "demote");
        world.Do(world.Intent.RemoveNode("host3", force: true));
        world.Do(world.Intent.RemoveNode("host2", force: true, alive: true));
        Assert.Single(world.State.Nodes);
    }

    [Fact]
    public void Secrets_rotate()
    {
        World world = new();
        world.Do(world.Intent.RotateSecret(NodeRole.Worker, Bytes(16, 9).Span));
        world.Do(world.Intent.RotateSecret(NodeRole.Manager, Bytes(16, 8).Span));
        Assert.Equal(Bytes(16, 9), world.State.Cluster!.WorkerSecret);
        Assert.Equal(Bytes(16, 8), world.State.Cluster.ManagerSecret);
        Refused(
            world.Intent.RotateSecret(NodeRole.Unspecified, Bytes(16, 9).Span), RefusalKind.Invalid, "token rotate");
    }
}
