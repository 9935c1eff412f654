using Overlay.Primitives;

namespace Overlay.Tests.Node;

public sealed class AssignmentTests
{
    /// <summary>Every agent hears of every version: one write in the store must not be one in every node's folder.</summary>
    [Fact]
    public void A_change_that_is_no_business_of_the_node_costs_it_nothing()
    {
        NodeRig rig = new();
        rig.World.AddNode(77);
        rig.Assign();
        (long persisted, long compared) = (rig.Mind.PersistRevision, rig.Mind.DataplaneRevision);
        rig.World.Do(rig.World.Intent.ReserveAddress(rig.Blue.Id, "10.0.0.250", Cluster.World.NodeIdOf(77), new EndpointId(1).ToString()));
        rig.Assign();
        Assert.Equal((persisted, compared), (rig.Mind.PersistRevision, rig.Mind.DataplaneRevision));
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        Assert.True(rig.Mind.PersistRevision > persisted);
    }

    /// <summary>A hundred agents hear of each node that joins; until it has an endpoint here nothing follows from it.</summary>
    [Fact]
    public void A_node_that_joins_costs_the_others_neither_a_write_at_once_nor_a_look_at_the_kernel()
    {
        NodeRig rig = new();
        rig.Assign();
        (long persisted, long compared) = (rig.Mind.PersistRevision, rig.Mind.DataplaneRevision);
        rig.World.AddNode(77);
        rig.Assign();
        Assert.Equal((persisted, compared), (rig.Mind.PersistRevision, rig.Mind.DataplaneRevision));
        Assert.NotNull(rig.Mind.Intent.Node(Cluster.World.NodeIdOf(77)));
        rig.Sleep(TimeSpan.FromSeconds(6));
        Assert.Equal((persisted + 1, compared), (rig.Mind.PersistRevision, rig.Mind.DataplaneRevision));
    }
}
