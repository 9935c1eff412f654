using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>
/// A restarted node counts its incarnations anew, so what was said of its former life may have higher ones. Whoever did
/// not know that life has nothing else to tell the two apart by than the print of the boot id.
/// </summary>
public sealed class FormerLifeTests
{
    private const ulong Former = 7;
    private const ulong Present = 9;
    private static readonly IPEndPoint Home = new(IPAddress.Parse("10.0.0.9"), 7946);
    private static readonly byte[] Versions = [1, 5, 2, 2, 5, 5];

    private readonly GossipEffects effects = new();
    private readonly GossipCounters counters = new();
    private readonly MemberList list;
    private readonly Instant now = new(1_000_000_000);

    public FormerLifeTests()
    {
        list = List(SwimOptions.Lan);
        list.Apply(new GossipMessage.Alive(1, "x", Home, [], Versions, Present), now, effects);
    }

    [Fact]
    public void Accusations_and_farewells_of_a_former_life_change_nothing()
    {
        GossipMessage.Suspect suspicion = new(5, "x", "y") { Life = MemberDigest.LifeOf(Former) };
        GossipMessage.Dead death = new(5, "x", "y") { Life = MemberDigest.LifeOf(Former), Witnesses = 3 };
        list.Apply(suspicion, now, effects);
        list.Apply(death, now, effects);
        list.Apply(death with { From = "x" }, now, effects);
        Assert.Equal((MemberState.Alive, 1u), (list.Find("x")!.State, list.Find("x")!.Incarnation));
        Assert.Equal(3, counters.Stale);
    }

    [Theory]
    [InlineData(Present)]
    [InlineData(0UL)]
    public void Those_of_this_life_or_of_no_named_one_count_and_name_it_when_they_are_passed_on(ulong life)
    {
        list.Apply(new GossipMessage.Suspect(1, "x", "y") { Life = MemberDigest.LifeOf(life) }, now, effects);
        Assert.Equal(MemberState.Suspect, list.Find("x")!.State);
        list.Apply(new GossipMessage.Dead(1, "x", "y") { Life = MemberDigest.LifeOf(life) }, now, effects);
        Assert.Equal(MemberState.Dead, list.Find("x")!.State);
        List<GossipMessage> told = [];
        int room = 1000;
        list.Rumours.Take(told, ref room, 10);
        Assert.Equal(MemberDigest.LifeOf(Present), told.OfType<GossipMessage.Dead>().Single().Life);
    }

    [Fact]
    public void The_accused_itself_says_that_it_lives_anew_without_a_new_incarnation()
    {
        list.Apply(new GossipMessage.Dead(5, "me", "y") { Life = MemberDigest.LifeOf(Former) }, now, effects);
        Assert.Equal((MemberState.Alive, 1u), (list.Self.State, list.Self.Incarnation));
        List<GossipMessage> told = [];
        int room = 1000;
        list.Rumours.Take(told, ref room, 10);
        Assert.Contains(told, static m => m is GossipMessage.Alive { Node: "me", BootId: 50 });
        list.Apply(new GossipMessage.Dead(5, "me", "y") { Life = list.Self.Life }, now, effects);
        Assert.Equal(6u, list.Self.Incarnation);
    }

    [Fact]
    public void Who_knew_the_former_life_counts_the_new_one_like_everybody_else()
    {
        list.Apply(new GossipMessage.Alive(5, "z", Home, [], Versions, Former), now, effects);
        list.Apply(new GossipMessage.Alive(1, "z", Home, [], Versions, Present), now, effects);
        list.Apply(new GossipMessage.Suspect(5, "z", "y"), now, effects);
        Assert.Equal(MemberState.Alive, list.Find("z")!.State);
        list.Apply(new GossipMessage.Dead(1, "z", "y") { Life = MemberDigest.LifeOf(Present), Witnesses = 3 }, now, effects);
        Assert.Equal(MemberState.Dead, list.Find("z")!.State);
    }

    [Fact]
    public void A_farewell_in_the_new_life_reaches_those_who_knew_the_former_one()
    {
        list.Apply(new GossipMessage.Alive(5, "z", Home, [], Versions, Former), now, effects);
        list.Apply(new GossipMessage.Alive(1, "z", Home, [], Versions, Present), now, effects);
        MemberList leaving = new(
            new("z", Home) { Incarnation = 1, Described = 1, State = MemberState.Alive, BootId = Present },
            new(), SwimOptions.Lan, new(1), new(8), counters);
        list.Apply(leaving.Death(leaving.Self, leaving.Self.Name), now, effects);
        Assert.Equal(MemberState.Left, list.Find("z")!.State);
    }

    [Fact]
    public void A_foreigner_has_no_life_that_could_be_another()
    {
        list.Apply(new GossipMessage.Alive(1, "serf", Home, [], Versions, 0), now, effects);
        list.Apply(new GossipMessage.Dead(1, "serf", "y") { Life = MemberDigest.LifeOf(Former) }, now, effects);
        Assert.Equal(MemberState.Dead, list.Find("serf")!.State);
    }

    [Fact]
    public void One_that_is_only_recalled_is_judged_whatever_its_life_was()
    {
        list.Recall("old", Home, now);
        list.Apply(new GossipMessage.Dead(0, "old", "y") { Life = MemberDigest.LifeOf(Former), Witnesses = 3 }, now, effects);
        Assert.Null(list.Find("old")!.HeldUntil);
    }

    private MemberList List(SwimOptions options) => new(
        new("me", new(IPAddress.Loopback, 7946)) { Incarnation = 1, Described = 1, State = MemberState.Alive, BootId = 50 },
        new(), options, new(1), new(8), counters);
}
