using Overlay.Cluster;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public sealed class RoleIntentTests
{
    private readonly World world = new();

    [Fact]
    public void A_worker_becomes_a_manager_and_takes_its_members_id_with_its_own_words()
    {
        world.Do(world.Intent.AddNode(Controlled(World.Node(2, NodeRole.Worker))));
        world.Do(world.Intent.SetRole("host2", NodeRole.Manager));
        Assert.Equal((NodeRole.Manager, 0UL), (Second.Role, Second.MemberId));
        world.Do(world.Intent.UpdateNode(Saying(77)));
        Assert.Equal(77UL, Second.MemberId);
        world.Do(world.Intent.UpdateNode(Saying(0)));
        Assert.Equal(77UL, Second.MemberId);
    }

    [Fact]
    public void A_worker_says_no_members_id()
    {
        world.Do(world.Intent.AddNode(Controlled(World.Node(2, NodeRole.Worker))));
        world.Do(world.Intent.UpdateNode(Saying(77)));
        Assert.Equal(0UL, Second.MemberId);
    }

    [Fact]
    public void A_demoted_manager_keeps_its_place_until_the_others_release_it()
    {
        world.Do(world.Intent.AddNode(Controlled(World.Node(2, NodeRole.Manager))));
        world.Do(world.Intent.UpdateNode(Saying(77)));
        world.Do(world.Intent.SetRole("host2", NodeRole.Worker));
        Assert.Equal((NodeRole.Worker, 77UL), (Second.Role, Second.MemberId));
        Refused(world.Intent.RemoveNode("host2", force: true), RefusalKind.Conflict, "still among the managers");
        world.Do(world.Intent.ReleaseMember(Second.Id, 78));
        Assert.Equal(77UL, Second.MemberId);
        world.Do(world.Intent.ReleaseMember(Second.Id, 77));
        Assert.Equal(0UL, Second.MemberId);
        world.Do(world.Intent.RemoveNode("host2", force: false));
    }

    [Fact]
    public void A_manager_that_is_one_is_not_released()
    {
        world.Do(world.Intent.AddNode(Controlled(World.Node(2, NodeRole.Manager))));
        world.Do(world.Intent.UpdateNode(Saying(77)));
        world.Do(world.Intent.ReleaseMember(Second.Id, 77));
        Assert.Equal(77UL, Second.MemberId);
    }

    [Fact]
    public void A_copied_disk_is_noticed()
    {
        world.Do(world.Intent.AddNode(Controlled(World.Node(2, NodeRole.Manager))));
        world.Do(world.Intent.AddNode(Controlled(World.Node(3, NodeRole.Manager))));
        world.Do(world.Intent.UpdateNode(Saying(77)));
        NodeObject copy = Controlled(World.Node(3, NodeRole.Manager));
        copy.MemberId = 77;
        Refused(world.Intent.UpdateNode(copy), RefusalKind.Conflict, "same manager's log", "leave --force");
    }

    [Fact]
    public void What_would_end_or_crowd_the_cluster_is_refused()
    {
        Refused(world.Intent.SetRole("host1", NodeRole.Worker), RefusalKind.Conflict, "only manager", "promote");
        Refused(world.Intent.SetRole("nobody", NodeRole.Worker), RefusalKind.NotFound, "node ls");
        Refused(world.Intent.SetRole("host1", NodeRole.Unspecified), RefusalKind.Invalid, "worker or a manager");
        NodeObject old = World.Node(50, NodeRole.Worker);
        old.ControlAddress = "";
        world.Do(world.Intent.AddNode(old));
        Refused(world.Intent.SetRole("host50", NodeRole.Manager), RefusalKind.Conflict, "does not say where", "version of overlayd");
        for (ulong i = 2; i <= Limits.Managers; i++)
        {
            world.Do(world.Intent.AddNode(Controlled(World.Node(i, NodeRole.Manager))));
        }

        Refused(world.Intent.AddNode(Controlled(World.Node(40, NodeRole.Manager))), RefusalKind.Exhausted, "most it can have");
        world.Do(world.Intent.AddNode(Controlled(World.Node(41, NodeRole.Worker))));
        Refused(world.Intent.SetRole("host41", NodeRole.Manager), RefusalKind.Exhausted, "demote");
    }

    [Fact]
    public void A_role_that_a_node_has_changes_nothing()
    {
        ulong before = world.State.Version;
        Assert.True(world.Intent.SetRole("host1", NodeRole.Manager).Value.IsEmpty);
        Assert.Equal(before, world.State.Version);
    }

    private NodeObject Second => world.State.Node(NodeIdOf(2))!;

    private static NodeObject Saying(ulong member)
    {
        NodeObject told = Controlled(World.Node(2, NodeRole.Worker));
        told.MemberId = member;
        return told;
    }

    private static NodeObject Controlled(NodeObject node)
    {
        node.ControlAddress = node.GossipAddress.Replace(":7946", ":2377", StringComparison.Ordinal);
        return node;
    }
}
