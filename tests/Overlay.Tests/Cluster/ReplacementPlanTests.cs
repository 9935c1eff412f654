using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>Three managers, of which the first leads, and two workers.</summary>
public sealed class ReplacementPlanTests
{
    private static readonly NodeSight Voter = new(true, NodeHealth.Alive, true, true, 0);
    private static readonly NodeSight Worker = new(false, NodeHealth.Alive, false, false, 0);

    private readonly World world = new();
    private readonly ReplacementPlan plan = new();
    private readonly SortedDictionary<string, NodeSight> seen = new(StringComparer.Ordinal);
    private Instant now = new(1_000_000_000_000);

    public ReplacementPlanTests()
    {
        for (ulong n = 2; n <= 5; n++)
        {
            NodeObject node = World.Node(n, n <= 3 ? NodeRole.Manager : NodeRole.Worker);
            node.ControlAddress = $"192.0.2.{n}:2377";
            node.MemberId = n <= 3 ? n : 0;
            world.Do(world.Intent.AddNode(node));
            seen[node.Id] = n <= 3 ? Voter : Worker;
        }

        seen[NodeIdOf(1)] = Voter;
        world.Do(world.Intent.SetReplaceManagers(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void A_manager_that_is_gone_for_so_long_gets_a_successor_that_listens_first()
    {
        Lose(2);
        Assert.Equal(ReplacementAction.None, Wait(30).Action);
        Assert.Equal((ReplacementAction.Begin, NodeIdOf(2), NodeIdOf(4)), Named(Wait(1)));
        Begun();
        Assert.Equal(ReplacementAction.None, Wait(5).Action);
        seen[NodeIdOf(4)] = new(true, NodeHealth.Alive, false, true, 0);
        Assert.Equal(ReplacementAction.Finish, Wait(1).Action);
        world.Do(world.Intent.FinishReplacement());
        Assert.Equal((NodeRole.Worker, NodeRole.Manager), (Role(2), Role(4)));
        Assert.Null(world.State.Cluster!.Replacement);
    }

    [Fact]
    public void Without_the_operators_wish_nothing_happens()
    {
        world.Do(world.Intent.SetReplaceManagers(TimeSpan.Zero));
        Lose(2);
        Assert.Equal(ReplacementStep.None, Wait(3600));
    }

    [Fact]
    public void One_that_only_one_of_both_ways_reaches_is_not_gone()
    {
        seen[NodeIdOf(2)] = Voter with { IsReachable = false };
        Assert.Equal(ReplacementStep.None, Wait(100));
        seen[NodeIdOf(2)] = Voter with { Health = NodeHealth.Gone };
        Assert.Equal(ReplacementStep.None, Wait(100));
        seen[NodeIdOf(2)] = new(false, NodeHealth.Doubtful, true, false, 0);
        Assert.Equal(ReplacementStep.None, Wait(100));
        Assert.Null(plan.GoneSince(NodeIdOf(2)));
    }

    [Fact]
    public void The_time_begins_anew_when_it_was_back_or_nobody_looked_or_too_few_were_there()
    {
        Lose(2);
        Wait(29);
        seen[NodeIdOf(2)] = Voter;
        Wait(1);
        Lose(2);
        Assert.Equal(ReplacementStep.None, Wait(29));
        now += TimeSpan.FromSeconds(20);
        Assert.Equal(ReplacementStep.None, Wait(29));
        plan.Next(world.State, seen, canDecide: false, now);
        Assert.Equal(ReplacementStep.None, Wait(29));
        Assert.Equal(ReplacementAction.Begin, Wait(2).Action);
    }

    [Fact]
    public void Only_workers_that_are_active_and_alive_for_a_while_come_in_question()
    {
        Lose(2);
        world.Do(world.Intent.EditNode("host4", new() { Availability = NodeAvailability.Drain }));
        seen[NodeIdOf(5)] = Worker with { Health = NodeHealth.Doubtful };
        Assert.Equal(ReplacementAction.Wait, Wait(40).Action);
        seen[NodeIdOf(5)] = Worker with { Flaps = 2 };
        Assert.Equal(ReplacementAction.Wait, Wait(3).Action);
        Assert.Equal(NodeIdOf(5), Wait(3).Successor);
        world.Do(world.Intent.EditNode("host4", new() { Availability = NodeAvailability.Active }));
        Assert.Equal(NodeIdOf(4), Wait(1).Successor);
    }

    [Fact]
    public void One_after_the_other()
    {
        Lose(2);
        seen[NodeIdOf(3)] = new(true, NodeHealth.Alive, false, false, 0);
        Assert.Equal(ReplacementStep.None, Wait(100));
        seen[NodeIdOf(3)] = Voter;
        Assert.Equal(ReplacementAction.Begin, Wait(1).Action);
        Begun();
        Refused(world.Intent.BeginReplacement(NodeIdOf(3), NodeIdOf(5)), RefusalKind.Conflict, "Another one");
    }

    [Fact]
    public void It_is_taken_back_when_the_lost_one_returns_before_its_successor_is_ready()
    {
        Lose(2);
        Wait(31);
        Begun();
        seen[NodeIdOf(2)] = Voter;
        Assert.Equal((ReplacementAction.Cancel, "it is back"), (Wait(1).Action, Wait(1).Reason));
        world.Do(world.Intent.CancelReplacement());
        Assert.Equal((NodeRole.Manager, NodeRole.Worker), (Role(2), Role(4)));
        Lose(2);
        Assert.Equal(ReplacementStep.None, Wait(30));
        Assert.Equal((ReplacementAction.Begin, NodeIdOf(5)), (Wait(1).Action, Wait(1).Successor));
    }

    [Fact]
    public void A_successor_that_does_not_come_is_given_up_and_another_one_taken()
    {
        Lose(2);
        Wait(31);
        Begun();
        Assert.Equal(ReplacementAction.None, Wait(60).Action);
        Assert.Equal((ReplacementAction.Cancel, "its successor did not catch up"), (Wait(2).Action, Wait(0).Reason));
        world.Do(world.Intent.CancelReplacement());
        Assert.Equal(NodeIdOf(5), Wait(1).Successor);
        Lose(5);
        Assert.Equal(ReplacementAction.Wait, Wait(1).Action);
        Assert.Equal(NodeIdOf(4), Wait(601).Successor);
    }

    [Fact]
    public void What_an_operator_does_meanwhile_holds()
    {
        Lose(2);
        Wait(31);
        Begun();
        world.Do(world.Intent.SetReplaceManagers(TimeSpan.Zero));
        Assert.Equal(ReplacementAction.Cancel, Wait(1).Action);
        world.Do(world.Intent.SetReplaceManagers(TimeSpan.FromSeconds(30)));
        world.Do(world.Intent.SetRole("host2", NodeRole.Worker));
        Assert.Equal(ReplacementAction.Finish, Wait(1).Action);
        world.Do(world.Intent.FinishReplacement());
        Assert.Equal((NodeRole.Worker, NodeRole.Manager), (Role(2), Role(4)));
        Assert.True(world.Intent.CancelReplacement().Value.IsEmpty);
    }

    [Fact]
    public void The_time_has_bounds()
    {
        Refused(world.Intent.SetReplaceManagers(TimeSpan.FromSeconds(9)), RefusalKind.Invalid, "9 s", "10 s to 30 days, or off");
        Refused(world.Intent.SetReplaceManagers(TimeSpan.FromDays(31)), RefusalKind.Invalid, "30 days");
        Assert.True(world.Intent.SetReplaceManagers(TimeSpan.FromSeconds(30)).Value.IsEmpty);
    }

    private static (ReplacementAction Action, string Lost, string Successor) Named(ReplacementStep step) => (step.Action, step.Lost, step.Successor);

    private NodeRole Role(ulong node) => world.State.Node(NodeIdOf(node))!.Role;

    private void Lose(ulong node) => seen[NodeIdOf(node)] = NodeSight.Lost with { Votes = node <= 3 };

    private void Begun() => world.Do(world.Intent.BeginReplacement(NodeIdOf(2), NodeIdOf(4)));

    /// <summary>Looks every second; the last answer.</summary>
    private ReplacementStep Wait(int seconds)
    {
        ReplacementStep step = default;
        for (int i = 0; i < Math.Max(1, seconds); i++)
        {
            now += TimeSpan.FromSeconds(seconds == 0 ? 0 : 1);
            step = plan.Next(world.State, seen, canDecide: true, now);
        }

        return step;
    }
}
