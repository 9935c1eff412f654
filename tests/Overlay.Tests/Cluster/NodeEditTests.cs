using System.Collections.Immutable;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public sealed class NodeEditTests
{
    private readonly World world = new();

    public NodeEditTests() => world.AddNode(2);

    [Fact]
    public void A_node_of_which_nothing_was_said_is_active()
    {
        Assert.Equal(NodeAvailability.Active, Availability.Of(Second));
        Assert.Equal(NodeAvailability.Active, Availability.Of(null));
        Assert.True(world.Intent.EditNode("host2", new() { Availability = NodeAvailability.Active }).Value.IsEmpty);
    }

    [Theory]
    [InlineData(NodeAvailability.Pause, "pause", false)]
    [InlineData(NodeAvailability.Drain, "drain", true)]
    public void It_is_what_was_said_last_and_what_it_says_of_itself_changes_nothing(NodeAvailability wanted, string text, bool isDrained)
    {
        world.Do(world.Intent.EditNode("host2", new() { Availability = wanted }));
        world.Do(world.Intent.UpdateNode(World.Node(2)));
        Assert.Equal((wanted, text, isDrained), (Availability.Of(Second), Availability.Text(Availability.Of(Second)), Availability.IsDrained(Second)));
        Assert.True(world.Intent.EditNode("host2", new() { Availability = wanted }).Value.IsEmpty);
        world.Do(world.Intent.EditNode(Second.Id, new() { Availability = NodeAvailability.Active }));
        Assert.Equal("active", Availability.Text(Availability.Of(Second)));
    }

    [Fact]
    public void A_drain_is_confirmed_once_and_only_while_it_lasts()
    {
        world.Do(world.Intent.EditNode("host2", new() { Availability = NodeAvailability.Drain }));
        long first = Second.AvailabilityUnixMs;
        Assert.True(first > 0);
        Assert.False(Availability.IsAcknowledged(Second));
        Assert.True(world.Intent.ConfirmDrain(Second.Id, 0).Value.IsEmpty);
        Assert.True(world.Intent.ConfirmDrain(Second.Id, first - 1).Value.IsEmpty);
        Refused(world.Intent.ConfirmDrain(NodeIdOf(9), first), RefusalKind.NotInCluster, NodeIdOf(9));
        world.Do(world.Intent.ConfirmDrain(Second.Id, first));
        world.Do(world.Intent.UpdateNode(World.Node(2)));
        Assert.True(Availability.IsAcknowledged(Second));
        Assert.True(world.Intent.ConfirmDrain(Second.Id, first).Value.IsEmpty);

        world.Now += 5;
        world.Do(world.Intent.EditNode("host2", new() { Availability = NodeAvailability.Active }));
        Assert.False(Availability.IsAcknowledged(Second));
        world.Now += 5;
        world.Do(world.Intent.EditNode("host2", new() { Availability = NodeAvailability.Drain }));
        Assert.True(world.Intent.ConfirmDrain(Second.Id, first).Value.IsEmpty);
        Assert.False(Availability.IsAcknowledged(Second));
    }

    [Fact]
    public void It_is_told_to_every_node()
    {
        world.Do(world.Intent.EditNode("host2", new() { Availability = NodeAvailability.Drain }));
        AssignmentView view = new();
        view.Apply(AssignmentBuilder.For(world.Store, new NodeId(1), 0));
        Assert.True(Availability.IsDrained(view.Node(Second.Id)));
    }

    [Fact]
    public void Labels_come_change_and_go()
    {
        world.Do(world.Intent.EditNode("host2", new() { LabelsAdded = Labels(("rack", "7"), ("tier", "back")) }));
        world.Do(world.Intent.EditNode("host2", new() { LabelsAdded = Labels(("tier", "front")), LabelsRemoved = ["rack"] }));
        world.Do(world.Intent.UpdateNode(World.Node(2)));
        Assert.Equal(("tier", "front"), (Assert.Single(Second.Labels).Key, Second.Labels["tier"]));
        Assert.Equal(NodeAvailability.Active, Availability.Of(Second));
    }

    [Fact]
    public void What_cannot_be_is_refused()
    {
        Refused(world.Intent.EditNode("host9", new() { Availability = NodeAvailability.Pause }), RefusalKind.NotFound, "host9");
        Refused(world.Intent.EditNode("host2", new()), RefusalKind.Invalid, "--availability");
        Refused(world.Intent.EditNode("host2", new() { Availability = (NodeAvailability)9 }), RefusalKind.Invalid, "pause or drain");
        Refused(world.Intent.EditNode("host2", new() { LabelsRemoved = ["rack"] }), RefusalKind.NotFound, "'rack'", "inspect host2");
        Refused(
            world.Intent.EditNode("host2", new() { LabelsAdded = Labels(("a", "1")), LabelsRemoved = ["a"] }), RefusalKind.Invalid, "'a'");
        Refused(world.Intent.EditNode("host2", new() { LabelsAdded = Labels(("a b", "1")) }), RefusalKind.Invalid, "'a b'", "--label-add");
        Refused(
            world.Intent.EditNode("host2", new() { LabelsAdded = Labels([.. Enumerable.Range(0, 65).Select(static i => ($"k{i}", ""))]) }),
            RefusalKind.Invalid, "64 labels");
    }

    private NodeObject Second => world.State.Node(NodeIdOf(2))!;

    private static ImmutableSortedDictionary<string, string> Labels(params (string Key, string Value)[] labels) =>
        labels.ToImmutableSortedDictionary(static l => l.Key, static l => l.Value, StringComparer.Ordinal);
}
