using Overlay.Gossip;
using Overlay.Gossip.Steadiness;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Attacks;

namespace Overlay.Tests.Gossip.Steadiness;

/// <summary>Alerts of several observers about one member, as they come to a node that tries nobody itself.</summary>
public sealed class AlertTests
{
    private const byte Subject = 20;
    private readonly Target target = new(options: SwimOptions.Lan with { ProbeInterval = TimeSpan.FromDays(1) });

    public AlertTests()
    {
        for (byte host = 2; host <= Subject; host++)
        {
            target.Hear(Target.Alive(Name(host), host, 1));
        }

        target.Start();
    }

    [Fact]
    public void Three_in_five_observers_hold_a_member_down_and_one_less_does_not()
    {
        Tell([2, 3, 4, 5]);
        Settle();
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
        Tell([6]);
        Settle();
        Assert.Equal((MemberState.Alive, Presence.HeldDown), (target[Name(Subject)]!.State, target[Name(Subject)]!.Presence));
        Assert.Equal([Name(Subject)], Assert.Single(target.Effects.Events.OfType<GossipEvent.ViewChanged>(), static v => v.Lost.Count > 0).Lost);
        target.Advance(SwimOptions.Lan.UnsteadyQuiet + TimeSpan.FromSeconds(1));
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
    }

    [Fact]
    public void An_alert_counts_once_however_often_it_comes()
    {
        byte[][] recorded = [.. new byte[] { 2, 3, 4 }.Select(o => target.Seal(Said(o, 1)))];
        for (int i = 0; i < 20; i++)
        {
            Array.ForEach(recorded, target.Take);
        }

        target.Hear(Said(2, 2), Said(2, 3), Said(2, 4));
        Settle();
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
        Assert.Equal(57, target.Swim.Counters.Stale);
    }

    /// <summary>What one says before it is cut off is heard by several within a moment.</summary>
    [Theory]
    [InlineData(1, false)]
    [InlineData(4, true)]
    public void Who_only_spoke_and_did_not_object_is_held_down_where_it_spoke_on(int seconds, bool isHeldDown)
    {
        for (byte observer = 2; observer < 10; observer++)
        {
            target.Hear(User(Good(observer, 1) with { Kind = AlertKind.Deaf }));
            target.Advance(TimeSpan.Zero);
            target.Now += TimeSpan.FromSeconds(seconds / 7.0);
        }

        Settle();
        Assert.Equal(isHeldDown ? Presence.HeldDown : Presence.Alive, target[Name(Subject)]!.Presence);
    }

    [Fact]
    public void Who_is_found_steady_by_so_many_that_too_few_still_accuse_it_is_back_at_once()
    {
        Tell([2, 3, 4, 5, 6, 7]);
        Settle();
        Assert.Equal(Presence.HeldDown, target[Name(Subject)]!.Presence);
        target.Hear(User(Good(2, 90) with { Kind = AlertKind.Steady }));
        target.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(Presence.HeldDown, target[Name(Subject)]!.Presence);
        target.Hear(User(Good(3, 90) with { Kind = AlertKind.Steady }));
        target.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
    }

    [Fact]
    public void What_was_taken_back_before_the_others_agreed_counts_for_nothing_even_where_it_comes_later()
    {
        target.Hear(User(Good(2, 90) with { Kind = AlertKind.Steady }), Said(2, 89));
        Tell([3, 4, 5, 6]);
        Settle();
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
    }

    [Fact]
    public void Recorded_alerts_hold_nobody_down_again()
    {
        byte[][] recorded = [.. new byte[] { 2, 3, 4, 5, 6 }.Select(o => target.Seal(Said(o, 1)))];
        Array.ForEach(recorded, target.Take);
        Settle();
        target.Advance(SwimOptions.Lan.UnsteadyQuiet * 3);
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
        Array.ForEach(recorded, target.Take);
        Settle();
        Assert.Equal(Presence.Alive, target[Name(Subject)]!.Presence);
    }

    [Fact]
    public void Alerts_about_or_by_another_life_or_a_stranger_count_for_nothing()
    {
        for (byte observer = 2; observer < 12; observer++)
        {
            Alert good = Good(observer, 1);
            target.Hear(User(good with { SubjectLife = 9 }), User(good with { ObserverLife = 9 }),
                User(good with { Observer = "x" + observer }), User(good with { Subject = "x" }), User(good with { Subject = "me" }));
        }

        Settle();
        Assert.All(target.Swim.Members, static m => Assert.Equal(Presence.Alive, m.Presence));
        Assert.Equal(50, target.Swim.Counters.Stale);
    }

    [Fact]
    public void Those_that_become_unsteady_one_after_the_other_are_one_change()
    {
        Tell([2, 3, 4, 5, 6], subject: Subject);
        target.Advance(TimeSpan.FromSeconds(5));
        Tell([2, 3, 4, 5, 6], subject: Subject - 1);
        Settle();
        GossipEvent.ViewChanged view = Assert.Single(target.Effects.Events.OfType<GossipEvent.ViewChanged>(), static v => v.Lost.Count > 0);
        Assert.Equal([Name(Subject - 1), Name(Subject)], view.Lost.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Where_more_than_a_quarter_is_unsteady_nobody_is_held_down()
    {
        for (byte subject = 10; subject < 16; subject++)
        {
            Tell([2, 3, 4, 5, 6], subject);
        }

        Settle();
        Assert.All(target.Swim.Members, static m => Assert.Equal(Presence.Alive, m.Presence));
    }

    [Fact]
    public void One_that_is_dead_while_the_alerts_come_returns_later()
    {
        target.Hear(new GossipMessage.Dead(1, Name(Subject), Name(2)) { Witnesses = 2 });
        target.Advance(TimeSpan.FromSeconds(2));
        Assert.Equal(Presence.Dead, target[Name(Subject)]!.Presence);
        Tell([2, 3, 4, 5, 6]);
        target.Hear(Target.Alive(Name(Subject), Subject, 2));
        Assert.Equal((MemberState.Alive, Presence.HeldDown), (target[Name(Subject)]!.State, target[Name(Subject)]!.Presence));
    }

    [Fact]
    public void Each_alert_that_is_news_is_passed_on()
    {
        target.Effects.Clear();
        Tell([2]);
        target.Advance(TimeSpan.FromSeconds(5));
        Assert.Contains(target.Sent<GossipMessage.User>(), static u => Alert.TryRead(u.Payload, out Alert? alert) && alert.Subject == Name(Subject));
    }

    [Fact]
    public void Each_number_is_new_once_in_any_order()
    {
        ReplayWindow window = new(1);
        Prng prng = new(3);
        ulong[] numbers = [.. Enumerable.Range(1, 60).Select(static i => (ulong)i)];
        prng.Shuffle(numbers.AsSpan());
        Assert.All(numbers, n => Assert.True(window.Take(n)));
        Assert.All(numbers, n => Assert.False(window.Take(n)));
        Assert.True(window.Take(1000));
        Assert.False(window.Take(900));
        Assert.True(window.Take(999));
    }

    [Fact]
    public void Garbage_is_no_alert()
    {
        byte[] sound = Good(2, 7).Write();
        for (int length = 2; length < sound.Length; length++)
        {
            Assert.False(Alert.TryRead(sound.AsSpan(0, length), out _));
        }

        Assert.False(Alert.TryRead([.. sound, 0], out _));
        Assert.True(Alert.TryRead(sound, out Alert? read));
        Assert.Equal(Good(2, 7), read);
    }

    private static string Name(int host) => $"n{host:D2}";

    private static Alert Good(byte observer, ulong number, byte subject = Subject) =>
        new(Name(observer), MemberDigest.LifeOf(3), number, Name(subject), MemberDigest.LifeOf(3), AlertKind.Lossy);

    private static GossipMessage.User User(Alert alert) => new(alert.Write());

    private static GossipMessage.User Said(byte observer, ulong number, byte subject = Subject) => User(Good(observer, number, subject));

    private void Tell(byte[] observers, byte subject = Subject)
    {
        foreach (byte observer in observers)
        {
            target.Hear(Said(observer, subject, subject));
        }
    }

    private void Settle() => target.Advance(SwimOptions.Lan.UnsteadyWindow + TimeSpan.FromSeconds(1));
}
