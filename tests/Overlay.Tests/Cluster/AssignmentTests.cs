using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public class AssignmentTests
{
    [Fact]
    public void A_node_learns_what_concerns_it_and_no_secret()
    {
        World world = new();
        world.AddNode(2, Route("172.20.0.0/16"));
        NetworkObject blue = world.Create("blue");
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(2), new EndpointId(1).ToString()));
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.201", NodeIdOf(1), new EndpointId(2).ToString()));
        Assignment assignment = AssignmentBuilder.For(world.Store, new(1), 0);
        AssignmentView view = new();
        Assert.True(view.Apply(assignment));

        Assert.True(assignment.Complete);
        Assert.Equal(world.Store.Version, view.Version);
        Assert.Equal("cluster1", view.Cluster!.Id);
        Assert.Equal(60, view.Cluster.QuarantineSeconds);
        Assert.Single(view.Cluster.GossipKeys);
        Assert.Equal(2, view.Nodes.Count());
        Assert.Empty(view.Node(NodeIdOf(2))!.Routes);
        Assert.Equal(NodeIdOf(1), Assert.Single(view.Leases).NodeId);
        Assert.Equal("10.0.0.201", Assert.Single(view.Reservations).Address);
        Assert.Equal(blue.Id, view.FindNetwork("blue").Value.Id);
        Assert.Equal(NodeIdOf(2), view.FindNode("host2").Value.Id);
        Assert.Equal(RefusalKind.NotFound, view.FindNetwork("red").Refusal!.Kind);

        byte[] bytes = assignment.ToByteArray();
        foreach (ByteString secret in new[]
        {
            world.State.Cluster!.CaKey, world.State.Cluster.WorkerSecret, world.State.Cluster.ManagerSecret,
        })
        {
            Assert.True(bytes.AsSpan().IndexOf(secret.Span) < 0, "a secret is in an assignment");
        }
    }

    [Fact]
    public void A_stranger_learns_nothing()
    {
        World world = new();
        world.Create("blue");
        Assignment assignment = AssignmentBuilder.For(world.Store, new(9), 1);
        Assert.True(assignment.Complete);
        Assert.Null(assignment.Cluster);
        Assert.Empty(assignment.Upserts);
    }

    [Fact]
    public void A_change_tells_only_what_changed()
    {
        World world = new();
        world.AddNode(2);
        ulong before = world.Store.Version;
        NetworkObject blue = world.Create("blue");
        Assignment created = AssignmentBuilder.For(world.Store, new(2), before);
        Assert.False(created.Complete);
        Assert.Equal(
            [StoreObject.KindOneofCase.Network, StoreObject.KindOneofCase.Lease],
            created.Upserts.Select(item => item.KindCase));
        Assert.Equal(NodeIdOf(2), created.Upserts[1].Lease.NodeId);

        before = world.Store.Version;
        world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)));
        Assignment foreign = AssignmentBuilder.For(world.Store, new(2), before);
        Assert.Empty(foreign.Upserts);
        Assert.Empty(foreign.Deletes);
        Assert.Null(foreign.Cluster);

        before = world.Store.Version;
        world.Do(world.Intent.BeginKeyRotation(Bytes(32, 9).Span, "a test"));
        Assert.Equal(2, AssignmentBuilder.For(world.Store, new(2), before).Cluster.GossipKeys.Count);

        before = world.Store.Version;
        world.Do(world.Intent.RemoveNetwork("blue"));
        Assert.Equal(
            [ObjectKind.Network, ObjectKind.Lease],
            AssignmentBuilder.For(world.Store, new(2), before).Deletes.Select(gone => gone.Kind));
    }

    [Fact]
    public void Old_news_is_ignored()
    {
        World world = new();
        world.AddNode(2);
        Assignment old = AssignmentBuilder.For(world.Store, new(2), 0);
        AssignmentView view = new();
        Assert.False(view.Apply(new() { Version = 5 }), "a change without a beginning");
        view.Apply(old);
        world.Create("blue");
        Assignment delta = AssignmentBuilder.For(world.Store, new(2), old.Version);
        Assert.True(view.Apply(delta));
        Assert.False(view.Apply(delta));
        Assert.False(view.Apply(old));
        Assert.Single(view.Networks);

        Assignment other = new() { Version = 1, Complete = true, Cluster = new() { Id = "other" } };
        Assert.True(view.Apply(other), "another cluster begins anew");
        Assert.Empty(view.Networks);
    }

    [Fact]
    public void A_grant_is_known_ahead_of_its_assignment()
    {
        World world = new();
        NetworkObject blue = world.Create("blue");
        AssignmentView view = new();
        view.Apply(AssignmentBuilder.For(world.Store, new(1), 0));
        ulong before = world.Store.Version;
        string id = world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1))).Id;
        LeaseObject lease = world.State.Lease(id)!;
        view.Learn(new() { Lease = lease });
        Assert.Equal(2, view.Leases.Count());
        Assert.True(view.Apply(AssignmentBuilder.For(world.Store, new(1), before)));
        Assert.Equal(2, view.Leases.Count());

        ulong known = world.Store.Version;
        world.Do(world.Intent.RemoveNetwork("blue"));
        view.Apply(AssignmentBuilder.For(world.Store, new(1), known));
        view.Learn(new() { Lease = lease });
        Assert.Empty(view.Leases);
    }

    [Fact]
    public void What_cannot_be_read_is_left_out()
    {
        Assignment assignment = new() { Version = 3, Complete = true };
        NetworkObject bad = new() { Id = new NetworkId(1).ToString(), Name = "bad" };
        bad.Segments.Add(new Segment { Ipv4 = new() { Subnet = "10.0.0.0/24", Gateway = "10.0.1.1" } });
        assignment.Upserts.Add(new StoreObject { Network = bad });
        assignment.Upserts.Add(new StoreObject());
        assignment.Upserts.Add(new StoreObject { Cluster = new() { Id = "c" } });
        assignment.Upserts.Add(new StoreObject { Node = new() { Id = "not an id" } });
        LeaseObject lease = new() { Id = "x", NetworkId = bad.Id, Block = "10.0.0.1/28" };
        ReservationObject reservation = new() { Id = "y", NetworkId = "?", Address = "10.0.0.1" };
        assignment.Upserts.Add(new StoreObject { Lease = lease });
        assignment.Upserts.Add(new StoreObject { Reservation = reservation });
        assignment.Upserts.Add(new StoreObject { Node = World.Node(1) });
        assignment.Deletes.Add(new ObjectRef { Kind = (ObjectKind)99, Id = "z" });
        AssignmentView view = new();
        Assert.True(view.Apply(assignment));
        Assert.Single(view.Export().Upserts);
    }

    [Fact]
    public void A_view_survives_its_bytes()
    {
        World world = new();
        world.Create(world.Network("blue") with { Ipv6 = true, Labels = [new("a", "b")] });
        AssignmentView view = new();
        view.Apply(AssignmentBuilder.For(world.Store, new(1), 0));
        AssignmentView restored = new();
        Assert.True(restored.Apply(Assignment.Parser.ParseFrom(view.Export().ToByteArray())));
        Assert.Equal(view.Export(), restored.Export());
    }
}
