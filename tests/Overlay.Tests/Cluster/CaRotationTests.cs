using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>One root takes the place of another: at once for what is signed, at the end for what is believed.</summary>
public sealed class CaRotationTests
{
    private readonly World world = new();

    private ClusterObject Cluster => world.State.Cluster!;

    [Fact]
    public void The_new_root_is_in_force_when_every_node_has_a_certificate_of_it()
    {
        world.AddNode(2);
        world.AddNode(3);
        Begin(10);
        Assert.Equal((3, 0), (CaProgress.Of(world.State)!.Nodes, CaProgress.Of(world.State)!.Done));
        Assert.Equal(World.Bytes(8, 10), Told().NextCaCertificate);
        Came(1, 10);
        Came(3, 10);
        Assert.Equal("host2 is missing", CaProgress.Of(world.State)!.WaitingText);
        Assert.True(world.Intent.FinishCaRotation().Value.IsEmpty, "one is missing");
        Came(2, 10);
        Assert.True(CaProgress.Of(world.State)!.IsComplete);
        world.Do(world.Intent.FinishCaRotation());
        Assert.Null(Cluster.CaRotation);
        Assert.Null(CaProgress.Of(world.State));
        Assert.Equal((World.Bytes(8, 10), World.Bytes(4, 10)), (Cluster.CaCertificate, Cluster.CaKey));
        Assert.Equal((World.Bytes(8, 10), true), (Told().CaCertificate, Told().NextCaCertificate.IsEmpty));
        Assert.True(world.Intent.FinishCaRotation().Value.IsEmpty);
    }

    [Fact]
    public void A_node_that_is_removed_is_waited_for_no_longer_and_one_that_joins_is()
    {
        world.AddNode(2);
        Begin(10);
        Came(1, 10);
        world.AddNode(3);
        world.Do(world.Intent.RemoveNode("host2", force: true));
        Assert.Equal("host3 is missing", CaProgress.Of(world.State)!.WaitingText);
        Came(3, 10);
        Assert.True(CaProgress.Of(world.State)!.IsComplete);
    }

    [Fact]
    public void One_at_a_time()
    {
        world.AddNode(2);
        Begin(10);
        Outcome<Proposal<ClusterObject>> second = world.Intent.BeginCaRotation([11], [11], [11]);
        Assert.Equal(RefusalKind.Conflict, second.Refusal!.Kind);
        Assert.Contains("0 of 2 nodes have it, and host1 and host2 are missing", second.Refusal.Why, StringComparison.Ordinal);
    }

    [Fact]
    public void A_certificate_of_an_older_root_does_not_count()
    {
        Came(1, 9);
        Begin(10);
        Assert.False(CaProgress.Of(world.State)!.IsComplete);
    }

    private ClusterView Told() => AssignmentBuilder.For(world.Store, Overlay.Primitives.NodeId.Parse(NodeIdOf(1)), 0).Cluster;

    private void Begin(byte value) => world.Do(world.Intent.BeginCaRotation(
        World.Bytes(8, value).Span, World.Bytes(4, value).Span, World.Bytes(6, value).Span));

    private void Came(ulong node, byte root)
    {
        NodeObject told = world.State.Node(NodeIdOf(node))!.Clone();
        told.RootDigest = CaChanges.DigestOf(World.Bytes(8, root));
        world.Do(world.Intent.UpdateNode(told));
    }
}
