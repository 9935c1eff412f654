using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>A cluster begins anew with one manager: everything stays but who decides.</summary>
public sealed class RenewalTests
{
    private readonly World world = new("10.0.0.0/8");

    [Fact]
    public void The_epoch_grows_and_other_managers_are_superseded_while_workers_and_addresses_stay()
    {
        world.AddNode(2);
        NodeObject second = World.Node(3, NodeRole.Manager);
        second.MemberId = 33;
        world.Do(world.Intent.AddNode(second));
        world.Do(world.Intent.CreateNetwork(new() { Id = NodeIdOf(50), Name = "blue" }));
        StoreObject[] kept = [.. world.State.Objects.Where(static o => o.Network is not null || o.Lease is not null)];
        Assert.Equal(1ul, world.State.Epoch);

        NodeObject self = World.Node(1, NodeRole.Manager);
        self.MemberId = 11;
        self.ControlAddress = "192.0.2.1:9";
        world.Do(world.Intent.BeginAnew(self));
        Assert.Equal(2ul, world.State.Epoch);
        NodeObject first = world.State.Node(NodeIdOf(1))!;
        Assert.Equal((NodeRole.Manager, 11ul, "192.0.2.1:9", false), (first.Role, first.MemberId, first.ControlAddress, first.Superseded));
        NodeObject former = world.State.Node(NodeIdOf(3))!;
        Assert.Equal((NodeRole.Worker, 0ul, "", true), (former.Role, former.MemberId, former.ControlAddress, former.Superseded));
        Assert.Equal(World.Node(2).ToByteArray(), new NodeObject(world.State.Node(NodeIdOf(2))!) { Version = 0, CreatedUnixMs = 0 }.ToByteArray());
        Assert.Equal<IEnumerable<StoreObject>>(kept, world.State.Objects.Where(static o => o.Network is not null || o.Lease is not null));
        Assert.Equal(2ul, AssignmentBuilder.For(world.Store, new(2), 0).Cluster.Epoch);

        world.Do(world.Intent.BeginAnew(self));
        Assert.Equal(3ul, world.State.Epoch);
    }

    [Fact]
    public void A_new_node_gets_a_place_and_an_address_of_another_is_refused()
    {
        world.AddNode(2);
        Refusal refusal = Assert.IsType<Refusal>(world.Intent.BeginAnew(Same(World.Node(9, NodeRole.Manager), World.Node(2))).Refusal);
        Assert.Equal(RefusalKind.Conflict, refusal.Kind);
        Assert.Contains("host2", refusal.Why, StringComparison.Ordinal);
        world.Do(world.Intent.BeginAnew(World.Node(9, NodeRole.Manager)));
        Assert.Equal(NodeRole.Manager, world.State.Node(NodeIdOf(9))!.Role);
        Assert.True(world.State.Node(NodeIdOf(1))!.Superseded);
        Assert.True(new Intent(ClusterState.Empty, "", 1).BeginAnew(World.Node(9, NodeRole.Manager)).IsRefused);
    }

    [Fact]
    public void A_superseded_manager_that_joins_again_from_its_address_takes_its_own_place()
    {
        NodeObject second = World.Node(3, NodeRole.Manager);
        second.MemberId = 33;
        world.Do(world.Intent.AddNode(second));
        Assert.True(world.Intent.AddNode(Same(World.Node(4), World.Node(3))).IsRefused, "its place is taken while it is served");
        world.Do(world.Intent.BeginAnew(World.Node(1, NodeRole.Manager)));
        world.Do(world.Intent.AddNode(Same(World.Node(4), World.Node(3))));
        Assert.Null(world.State.Node(NodeIdOf(3)));
        Assert.False(world.State.Node(NodeIdOf(4))!.Superseded);
    }

    private static NodeObject Same(NodeObject node, NodeObject other)
    {
        node.GossipAddress = other.GossipAddress;
        node.DataPathAddress = other.DataPathAddress;
        return node;
    }
}
