using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>The table of rules by which news changes a member, line by line.</summary>
public sealed class MemberRulesTests
{
    private static readonly IPEndPoint Home = new(IPAddress.Parse("10.0.0.9"), 7946);
    private static readonly IPEndPoint Elsewhere = new(IPAddress.Parse("10.0.0.10"), 7946);
    private static readonly byte[] Versions = [1, 5, 2, 2, 5, 5];

    private readonly GossipEffects effects = new();
    private readonly GossipCounters counters = new();
    private readonly Awareness awareness = new(8);
    private readonly MemberList list;
    private Instant now = new(1_000_000_000);

    public MemberRulesTests()
    {
        var self = new MemberEntry("me", new(IPAddress.Loopback, 7946))
        {
            Incarnation = 1,
            Described = 1,
            State = MemberState.Alive,
            BootId = 50,
        };
        list = new(self, new(), SwimOptions.Lan, new(1), awareness, counters);
    }

    private MemberEntry X => list.Find("x")!;

    [Fact]
    public void Alive_of_an_unknown_member_joins_it()
    {
        Alive(3);
        Assert.Equal((MemberState.Alive, 3u), (X.State, X.Incarnation));
        GossipEvent.MemberChanged change = Assert.IsType<GossipEvent.MemberChanged>(Assert.Single(effects.Events));
        Assert.Null(change.Previous);
        Assert.True(list.Rumours.Contains("x"));
        Assert.Equal(2, list.LiveCount);
    }

    [Theory]
    [InlineData(3u, false)]
    [InlineData(2u, false)]
    [InlineData(4u, true)]
    public void Alive_counts_only_above_the_known_incarnation(uint incarnation, bool counts)
    {
        Alive(3);
        Suspect(3);
        Alive(incarnation);
        Assert.Equal(counts ? MemberState.Alive : MemberState.Suspect, X.State);
        Assert.Equal(counts, X.Suspicion is null);
    }

    [Fact]
    public void Alive_from_another_address_is_a_conflict_while_the_known_one_lives()
    {
        Alive(3, bootId: 0);
        effects.Clear();
        Alive(9, Elsewhere, bootId: 0);
        Alive(10, Elsewhere, bootId: 0);
        Assert.Equal(Home, X.Address);
        Assert.IsType<GossipEvent.NameConflict>(Assert.Single(effects.Events));
    }

    [Fact]
    public void Alive_from_another_address_takes_over_from_one_who_left_or_is_long_dead()
    {
        Alive(3, bootId: 0);
        Dead(3, from: "x");
        Alive(4, Elsewhere, bootId: 0);
        Assert.Equal((Elsewhere, MemberState.Alive), (X.Address, X.State));
        Dead(4, from: "y");
        Alive(5, Home, bootId: 0);
        Assert.Equal((Elsewhere, MemberState.Dead), (X.Address, X.State));
        now += SwimOptions.Lan.GossipToTheDead;
        Alive(5, Home, bootId: 0);
        Assert.Equal((Home, MemberState.Alive), (X.Address, X.State));
    }

    [Fact]
    public void A_member_may_move_within_its_boot()
    {
        Alive(3, bootId: 7);
        Alive(4, Elsewhere, bootId: 7);
        Assert.Equal(Elsewhere, X.Address);
    }

    [Fact]
    public void A_higher_boot_is_believed_at_any_incarnation_and_a_lower_at_none()
    {
        Alive(90, bootId: 7);
        Dead(90);
        Alive(1, Elsewhere, bootId: 8);
        Assert.Equal((MemberState.Alive, Elsewhere, 8ul), (X.State, X.Address, X.BootId));
        Dead(90);
        Suspect(90);
        Assert.Equal(MemberState.Alive, X.State);
        Alive(200, bootId: 7);
        Assert.Equal(Elsewhere, X.Address);
        Suspect(1);
        Assert.Equal(MemberState.Alive, X.State);
        Suspect(91);
        Assert.Equal(MemberState.Suspect, X.State);
    }

    [Fact]
    public void A_new_description_counts_though_accusations_of_the_former_life_were_higher()
    {
        Alive(90, bootId: 7);
        Alive(1, bootId: 8);
        Alive(2, bootId: 8, meta: [9]);
        Assert.Equal([9], X.Meta);
        Alive(1, bootId: 8);
        Assert.Equal([9], X.Meta);
    }

    [Fact]
    public void Alive_of_me_is_refuted_where_it_is_newer_or_different()
    {
        list.Apply(MyAlive(1, []), now, effects);
        Assert.Equal(1u, list.Self.Incarnation);
        list.Apply(MyAlive(1, [1]), now, effects);
        Assert.Equal(2u, list.Self.Incarnation);
        list.Apply(MyAlive(8, []), now, effects);
        Assert.Equal(9u, list.Self.Incarnation);
        Assert.Equal(2, counters.Refutations);
        Assert.Equal(2, awareness.Score);
    }

    [Fact]
    public void News_of_my_former_life_raises_my_incarnation_without_blame()
    {
        list.Apply(MyAlive(57, []) with { BootId = 49 }, now, effects);
        Assert.Equal(58u, list.Self.Incarnation);
        Assert.Equal(0, awareness.Score);
        list.Apply(MyAlive(12, []) with { BootId = 49 }, now, effects);
        Assert.Equal(58u, list.Self.Incarnation);
    }

    [Fact]
    public void A_later_boot_of_mine_must_be_outbid_and_another_address_is_a_conflict()
    {
        list.Apply(MyAlive(3, []) with { BootId = 60 }, now, effects);
        Assert.Equal(60ul, list.Own.OutbidBootId);
        list.Apply(MyAlive(3, []) with { BootId = 70, Address = Elsewhere }, now, effects);
        Assert.Equal(60ul, list.Own.OutbidBootId);
        Assert.IsType<GossipEvent.NameConflict>(Assert.Single(effects.Events));
    }

    [Fact]
    public void Accusations_of_strangers_are_dropped()
    {
        Suspect(1);
        Dead(1);
        Assert.Null(list.Find("x"));
    }

    [Fact]
    public void Suspect_counts_from_the_known_incarnation_on()
    {
        Alive(3);
        Suspect(2);
        Assert.Equal(MemberState.Alive, X.State);
        Suspect(3);
        Assert.Equal(MemberState.Suspect, X.State);
        Assert.NotNull(X.Suspicion);
    }

    [Fact]
    public void Further_accusers_confirm_and_shorten_the_suspicion()
    {
        Crowd(10);
        Alive(3);
        Suspect(3, "a");
        Instant first = X.Suspicion!.Deadline;
        Suspect(3, "a");
        Assert.Equal(first, X.Suspicion.Deadline);
        Suspect(3, "b");
        Assert.True(X.Suspicion.Deadline < first);
        Suspect(3, "c");
        Suspect(3, "d");
        Assert.Equal(2, X.Suspicion.Confirmations);
    }

    [Fact]
    public void A_higher_suspicion_starts_its_own_time()
    {
        Crowd(10);
        Alive(3);
        Suspect(3, "a");
        now += TimeSpan.FromSeconds(3);
        Suspect(5, "b");
        Assert.Equal((5u, 0), (X.Incarnation, X.Suspicion!.Confirmations));
        Assert.True(X.Suspicion.Deadline >= now + TimeSpan.FromSeconds(2.6));
    }

    [Fact]
    public void A_suspicion_that_nobody_objects_to_is_death()
    {
        Alive(3);
        Suspect(3);
        list.Advance(X.Suspicion!.Deadline - TimeSpan.FromMilliseconds(1), effects);
        Assert.Equal(MemberState.Suspect, X.State);
        list.Advance(X.Suspicion!.Deadline, effects);
        Assert.Equal(MemberState.Dead, X.State);
        Assert.Equal(1, list.LiveCount);
    }

    [Fact]
    public void Evidence_about_the_dead_raises_their_incarnation()
    {
        Alive(3);
        Dead(3);
        Dead(6);
        Alive(6);
        Assert.Equal((MemberState.Dead, 6u), (X.State, X.Incarnation));
        Suspect(8);
        Alive(8);
        Assert.Equal((MemberState.Dead, 8u), (X.State, X.Incarnation));
        Alive(9);
        Assert.Equal(MemberState.Alive, X.State);
    }

    [Fact]
    public void Dead_of_an_older_incarnation_is_dropped_and_from_itself_means_left()
    {
        Alive(3);
        Dead(2);
        Assert.Equal(MemberState.Alive, X.State);
        Dead(3, from: "x");
        Assert.Equal(MemberState.Left, X.State);
        Dead(3, from: "y");
        Assert.Equal(MemberState.Left, X.State);
    }

    [Fact]
    public void Left_outdates_dead_whatever_comes_first()
    {
        Alive(3);
        Dead(3, from: "y");
        Dead(3, from: "x");
        Assert.Equal(MemberState.Left, X.State);
    }

    [Fact]
    public void I_object_to_my_death_unless_I_am_leaving()
    {
        list.Apply(new GossipMessage.Suspect(4, "me", "y"), now, effects);
        Assert.Equal(5u, list.Self.Incarnation);
        list.Apply(new GossipMessage.Dead(5, "me", "y"), now, effects);
        Assert.Equal(6u, list.Self.Incarnation);
        list.Apply(new GossipMessage.Dead(3, "me", "y"), now, effects);
        Assert.Equal(6u, list.Self.Incarnation);
        list.Own.Leave(list.Death(list.Self, list.Self.Name), now);
        list.Apply(new GossipMessage.Dead(6, "me", "y"), now, effects);
        Assert.Equal((6u, MemberState.Left), (list.Self.Incarnation, list.Self.State));
    }

    [Fact]
    public void The_dead_of_a_push_pull_are_only_suspected_and_the_left_have_left()
    {
        Alive(3);
        list.Apply(Line(3, MemberState.Dead), "me", now, effects);
        Assert.Equal(MemberState.Suspect, X.State);
        Assert.Equal("me", X.Suspicion!.FirstAccuser);
        list.Apply(Line(4, MemberState.Alive), "me", now, effects);
        Assert.Equal(MemberState.Alive, X.State);
        list.Apply(Line(4, MemberState.Left), "me", now, effects);
        Assert.Equal(MemberState.Left, X.State);
    }

    [Fact]
    public void A_push_pull_about_a_former_life_accuses_nobody()
    {
        Alive(1, bootId: 8);
        list.Apply(Line(90, MemberState.Dead), "me", now, effects);
        list.Apply(Line(90, MemberState.Left), "me", now, effects);
        Assert.Equal(MemberState.Alive, X.State);
    }

    [Fact]
    public void Wild_incarnations_and_unusable_descriptions_are_refused()
    {
        Alive(3);
        Suspect(uint.MaxValue);
        Dead(uint.MaxValue);
        Alive(uint.MaxValue);
        Assert.Equal((MemberState.Alive, 3u), (X.State, X.Incarnation));
        list.Apply(new GossipMessage.Alive(1, "v", Home, [], [0, 0, 0, 0, 0, 0], 1), now, effects);
        list.Apply(new GossipMessage.Alive(1, "w", Home, new byte[513], Versions, 1), now, effects);
        list.Apply(new GossipMessage.Alive(1, new('n', 129), Home, [], Versions, 1), now, effects);
        list.Apply(new GossipMessage.Alive(1, "u", new(IPAddress.Any, 0), [], Versions, 1), now, effects);
        list.Apply(new GossipMessage.Suspect(uint.MaxValue, "me", "y"), now, effects);
        Assert.Single(list.Others);
        Assert.Equal(1u, list.Self.Incarnation);
    }

    [Fact]
    public void The_removed_life_of_a_member_is_refused_and_a_new_one_is_not()
    {
        Alive(3, bootId: 7);
        list.Obituaries.Add("x", 7, 3, isFinal: true);
        Assert.True(list.Remove("x", effects));
        Alive(99, bootId: 7);
        Assert.Null(list.Find("x"));
        Alive(1, bootId: 8);
        Assert.NotNull(list.Find("x"));
    }

    [Theory]
    [InlineData(10, 4.0, 24.0)]
    [InlineData(100, 8.0, 48.0)]
    [InlineData(1000, 12.0, 72.0)]
    public void Suspicions_last_as_memberlist_computes_them(int members, double shortest, double longest)
    {
        var suspicion = new Suspicion(GossipProfiles.Memberlist, members, "a", now);
        Assert.Equal(longest, (suspicion.Deadline - now).TotalSeconds, 2);
        Assert.True(suspicion.Confirm("b", now));
        double middle = (suspicion.Deadline - now).TotalSeconds;
        Assert.InRange(middle, shortest, longest - 1);
        Assert.True(suspicion.Confirm("c", now));
        Assert.Equal(shortest, (suspicion.Deadline - now).TotalSeconds, 2);
        Assert.False(suspicion.Confirm("d", now));
    }

    [Fact]
    public void A_late_accuser_leaves_the_suspect_time_to_object()
    {
        var suspicion = new Suspicion(SwimOptions.Lan, 100, "a", now);
        Instant late = now + TimeSpan.FromSeconds(20);
        Assert.True(suspicion.Confirm("b", late));
        Assert.True(suspicion.Confirm("c", late));
        Assert.Equal(late + SwimOptions.Lan.ObjectionTime, suspicion.Deadline);
    }

    [Fact]
    public void Who_hears_nobody_calls_nobody_dead_before_twice_the_longest_time()
    {
        Crowd(10);
        Alive(3);
        Suspect(3, "a");
        Suspect(3, "b");
        Suspect(3, "c");
        now = X.Suspicion!.Deadline;
        list.HeardAt = now - TimeSpan.FromSeconds(3);
        list.Advance(now, effects);
        Assert.Equal(MemberState.Suspect, X.State);
        Assert.True(X.Suspicion.Deadline > now);
        list.HeardAt = now;
        list.Advance(X.Suspicion.Deadline, effects);
        Assert.Equal(MemberState.Dead, X.State);
        Alive(4);
        Suspect(4, "a");
        TimeSpan longest = X.Suspicion.Deadline - now;
        Instant begun = now;
        for (int i = 0; i < 1000 && X.State == MemberState.Suspect; i++)
        {
            now = X.Suspicion.Deadline;
            list.Advance(now, effects);
        }

        Assert.Equal(MemberState.Dead, X.State);
        Assert.InRange(now - begun, (longest * 2) - TimeSpan.FromSeconds(1), longest * 2);
    }

    [Fact]
    public void In_memberlist_a_higher_accusation_only_confirms()
    {
        var memberlist = new MemberList(
            new("me", Elsewhere) { State = MemberState.Alive, BootId = 50 }, new(), GossipProfiles.Memberlist, new(1), awareness, counters);
        foreach (string name in (string[])["x", "y", "z", "v"])
        {
            memberlist.Apply(new GossipMessage.Alive(3, name, Home, [], Versions, 0), now, effects);
        }

        memberlist.Apply(new GossipMessage.Suspect(3, "x", "y"), now, effects);
        memberlist.Apply(new GossipMessage.Suspect(9, "x", "z"), now + TimeSpan.FromSeconds(1), effects);
        Assert.Equal(1, memberlist.Find("x")!.Suspicion!.Confirmations);
    }

    [Theory]
    [InlineData(9, 4)]
    [InlineData(10, 8)]
    [InlineData(99, 8)]
    [InlineData(100, 12)]
    [InlineData(999, 12)]
    [InlineData(1000, 16)]
    public void Rumours_are_told_as_often_as_memberlist_tells_them(int members, int times) =>
        Assert.Equal(times, BroadcastQueue.TransmitLimit(4, members));

    [Fact]
    public void The_queue_tells_the_least_told_first_and_ends()
    {
        var queue = new BroadcastQueue();
        queue.Add("a", new GossipMessage.Suspect(1, "a", "me"));
        queue.Add("b", new GossipMessage.Suspect(1, "b", "me"));
        queue.Add("b", new GossipMessage.Dead(1, "b", "me"));
        Assert.Equal(2, queue.Count);
        List<string> told = [];
        for (int i = 0; i < 6; i++)
        {
            List<GossipMessage> taken = [];
            int room = PacketCodec.Measure(new GossipMessage.Suspect(1, "a", "me")) + Outbox.PartOverhead;
            queue.Take(taken, ref room, 3);
            told.Add(taken.Single() is GossipMessage.Suspect ? "a" : "b");
        }

        Assert.Equal(3, told.Count(t => t == "a"));
        Assert.NotEqual(told[0], told[1]);
        Assert.Equal(0, queue.Count);
    }

    private static GossipMessage.Alive MyAlive(uint incarnation, byte[] meta) =>
        new(incarnation, "me", new(IPAddress.Loopback, 7946), meta, Versions, 50);

    private static PushPullNode Line(uint incarnation, MemberState state) =>
        new("x", Home, [], incarnation, state, Versions, 7);

    private void Crowd(int count)
    {
        for (int i = 0; i < count; i++)
        {
            list.Apply(new GossipMessage.Alive(1, $"c{i}", Home, [], Versions, 1), now, effects);
        }
    }

    private void Alive(uint incarnation, IPEndPoint? address = null, ulong bootId = 7, byte[]? meta = null) =>
        list.Apply(
            new GossipMessage.Alive(incarnation, "x", address ?? Home, meta ?? [], Versions, bootId), now, effects);

    private void Suspect(uint incarnation, string from = "y") =>
        list.Apply(new GossipMessage.Suspect(incarnation, "x", from), now, effects);

    private void Dead(uint incarnation, string from = "y") =>
        list.Apply(new GossipMessage.Dead(incarnation, "x", from), now, effects);
}
