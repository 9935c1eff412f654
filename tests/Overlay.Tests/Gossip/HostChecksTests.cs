using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>The machine that asks hosts, step by step: what it is told, and what it dials and decides.</summary>
public sealed class HostChecksTests
{
    private static readonly SwimOptions Options = SwimOptions.Lan with { CutWindow = TimeSpan.Zero };
    private static readonly IPEndPoint Home = new(IPAddress.Parse("10.0.0.9"), 7946);

    private readonly GossipEffects effects = new();
    private readonly MemberList list;
    private readonly HostChecks checks;
    private Instant now = new(1_000_000_000);

    public HostChecksTests()
    {
        var self = new MemberEntry("me", new(IPAddress.Loopback, 7946)) { Incarnation = 1, State = MemberState.Alive, BootId = 50 };
        GossipCounters counters = new();
        list = new(self, new(), Options, new(1), new(8), counters);
        checks = new(Options, list, new(Keyring.Plaintext, new(2), counters), new(3), counters);
        Alive();
        list.Changed.Clear();
    }

    private MemberEntry X => list.Find("x")!;

    [Fact]
    public void A_suspect_is_dialled_so_early_that_two_tries_fit_in()
    {
        Suspect();
        Assert.Equal(X.Suspicion!.Deadline - Options.HostCheckLead, checks.NextDeadline);
        Assert.Empty(Advance());
        now = checks.NextDeadline;
        StreamDial dial = Assert.Single(Advance());
        Assert.Equal((Home, true, Options.HostCheckTimeout), (dial.To, dial.ExpectsReply, dial.Timeout));
        Assert.True(now + (Options.HostCheckTimeout * 2) < X.Suspicion!.Deadline);
        Assert.True(checks.NextDeadline > now);
    }

    [Fact]
    public void In_every_profile_two_tries_fit_into_the_shortest_suspicion()
    {
        foreach (SwimOptions profile in (SwimOptions[])[SwimOptions.Lan, GossipProfiles.Wan, GossipProfiles.Local])
        {
            Assert.True(profile.HostCheckTimeout * 2 < profile.HostCheckLead);
            Assert.True(profile.HostCheckLead < profile.SuspicionInterval * profile.SuspicionMultiplier);
        }
    }

    [Theory]
    [InlineData(StreamFailure.Refused)]
    [InlineData(StreamFailure.Unanswered)]
    public void A_word_of_the_kernel_holds_the_dead(StreamFailure word)
    {
        Suspect();
        Fail(Dial(), word);
        Die();
        Assert.Equal((Presence.AgentDown, true, now + Options.AgentDownHold), (X.Presence, X.IsPresent, X.HeldUntil));
        Assert.False(X.IsLive);
        Assert.DoesNotContain("x", list.Changed);
    }

    [Fact]
    public void An_answer_of_the_agent_itself_holds_the_dead_until_it_is_heard_by_gossip()
    {
        Suspect();
        Assert.True(checks.Completed(Dial().ExchangeId, now, effects));
        Die();
        Assert.Equal(Presence.AgentDown, X.Presence);
        Alive(2);
        Assert.Equal(Presence.Alive, X.Presence);
        Assert.Null(X.HeldUntil);
        Assert.Equal(Instant.Never, checks.NextDeadline);
    }

    [Fact]
    public void Two_silent_tries_let_the_suspect_die_at_once()
    {
        Suspect();
        Fail(Dial(), StreamFailure.Unreachable);
        now += Options.HostCheckTimeout;
        Fail(Dial(), StreamFailure.Unreachable);
        Die();
        Assert.Equal((Presence.Dead, false), (X.Presence, X.IsPresent));
        Assert.Contains("x", list.Changed);
        Assert.Equal(Instant.Never, checks.NextDeadline);
    }

    [Fact]
    public void A_death_that_came_unannounced_waits_for_two_tries()
    {
        Die();
        Assert.Equal((MemberState.Dead, Presence.Suspect), (X.State, X.Presence));
        Fail(Dial(), StreamFailure.Unreachable);
        Assert.True(X.IsPresent);
        now += Options.HostCheckTimeout;
        list.Changed.Clear();
        effects.Clear();
        Fail(Dial(), StreamFailure.Unreachable);
        Assert.Equal(Presence.Dead, X.Presence);
        Assert.Contains("x", list.Changed);
        GossipEvent.MemberChanged told = Assert.IsType<GossipEvent.MemberChanged>(Assert.Single(effects.Events));
        Assert.Equal((Presence.Dead, MemberState.Dead), (told.Member.Presence, told.Previous));
    }

    [Fact]
    public void A_death_that_came_unannounced_becomes_agent_down_by_a_refusal()
    {
        Die();
        StreamDial dial = Dial();
        effects.Clear();
        Fail(dial, StreamFailure.Refused);
        GossipEvent.MemberChanged told = Assert.IsType<GossipEvent.MemberChanged>(Assert.Single(effects.Events));
        Assert.Equal(Presence.AgentDown, told.Member.Presence);
        Assert.DoesNotContain("x", list.Changed);
    }

    [Fact]
    public void A_host_that_answered_is_given_up_after_three_silent_tries_in_a_row()
    {
        Die();
        Fail(Dial(), StreamFailure.Refused);
        for (int i = 0; i < 2; i++)
        {
            now = checks.NextDeadline;
            Fail(Dial(), StreamFailure.Unreachable);
        }

        Assert.Equal(Presence.AgentDown, X.Presence);
        now = checks.NextDeadline;
        Fail(Dial(), StreamFailure.Refused);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(Presence.AgentDown, X.Presence);
            now = checks.NextDeadline;
            Fail(Dial(), StreamFailure.Unreachable);
        }

        Assert.Equal(Presence.Dead, X.Presence);
    }

    [Fact]
    public void The_host_of_a_held_member_is_asked_from_time_to_time_until_the_hold_ends()
    {
        Die();
        Instant end = now + Options.AgentDownHold;
        int tries = 0;
        while (X.HeldUntil is not null)
        {
            foreach (StreamDial dial in Advance())
            {
                tries++;
                Fail(dial, StreamFailure.Refused);
            }

            Assert.True(checks.NextDeadline > now);
            now = Instant.Min(checks.NextDeadline, end + TimeSpan.FromSeconds(1));
        }

        Assert.Equal((Presence.Dead, Instant.Never), (X.Presence, checks.NextDeadline));
        Assert.InRange(tries, 80, 134);
        Assert.True(now <= end + TimeSpan.FromSeconds(1));
    }

    [Fact]
    public void A_dial_that_the_shell_never_ends_counts_as_silent()
    {
        Die();
        Dial();
        now = checks.NextDeadline;
        StreamDial second = Assert.Single(Advance());
        now = checks.NextDeadline;
        Advance();
        Assert.Equal(Presence.Dead, X.Presence);
        Assert.False(checks.Failed(second.ExchangeId, StreamFailure.Refused, now, effects));
        Assert.Equal(Presence.Dead, X.Presence);
    }

    [Fact]
    public void Many_lost_hosts_are_asked_a_few_at_a_time_and_each_gets_its_turn()
    {
        string[] names = [.. Enumerable.Range(0, 300).Select(static i => $"n{i:D3}")];
        foreach (string name in names)
        {
            list.Apply(new GossipMessage.Alive(1, name, Home, [], [1, 5, 2, 2, 5, 5], 7), now, effects);
            list.Apply(new GossipMessage.Dead(1, name, "y"), now, effects);
        }

        Instant start = now;
        while (names.Any(n => list.Find(n)!.IsPresent))
        {
            List<StreamDial> dials = Advance();
            Assert.InRange(dials.Count, 1, 128);
            Assert.True(checks.NextDeadline > now, "a full set of dials must not be a busy loop");
            now += TimeSpan.FromMilliseconds(1500);
            foreach (StreamDial dial in dials)
            {
                Fail(dial, StreamFailure.Unreachable);
            }

            Assert.True(now - start < TimeSpan.FromSeconds(12));
        }
    }

    [Fact]
    public void A_new_suspicion_asks_anew()
    {
        Suspect();
        Fail(Dial(), StreamFailure.Refused);
        Alive(2);
        list.Apply(new GossipMessage.Suspect(2, "x", "y"), now, effects);
        list.Apply(new GossipMessage.Dead(2, "x", "y"), now, effects);
        Assert.Equal(Presence.Suspect, X.Presence);
    }

    [Fact]
    public void Who_leaves_while_held_is_released()
    {
        Die();
        Fail(Dial(), StreamFailure.Refused);
        list.Changed.Clear();
        list.Apply(new GossipMessage.Dead(1, "x", "x"), now, effects);
        Assert.Equal((Presence.Left, false), (X.Presence, X.IsPresent));
        Assert.Contains("x", list.Changed);
        Assert.Equal(Instant.Never, checks.NextDeadline);
    }

    [Fact]
    public void A_member_of_a_foreign_implementation_is_never_asked_or_held()
    {
        list.Apply(new GossipMessage.Alive(1, "serf", Home, [], [1, 5, 2, 2, 5, 5], 0), now, effects);
        list.Apply(new GossipMessage.Suspect(1, "serf", "y"), now, effects);
        list.Apply(new GossipMessage.Dead(1, "serf", "y"), now, effects);
        Assert.Equal(Presence.Dead, list.Find("serf")!.Presence);
        Assert.Empty(Advance());
    }

    private List<StreamDial> Advance()
    {
        effects.Dials.Clear();
        checks.Advance(now, effects);
        return [.. effects.Dials];
    }

    private StreamDial Dial()
    {
        now = now < checks.NextDeadline ? checks.NextDeadline : now;
        return Assert.Single(Advance());
    }

    private void Fail(StreamDial dial, StreamFailure failure) =>
        Assert.True(checks.Failed(dial.ExchangeId, failure, now, effects));

    private void Alive(uint incarnation = 1) =>
        list.Apply(new GossipMessage.Alive(incarnation, "x", Home, [], [1, 5, 2, 2, 5, 5], 7), now, effects);

    private void Suspect() => list.Apply(new GossipMessage.Suspect(1, "x", "y"), now, effects);

    private void Die() => list.Apply(new GossipMessage.Dead(1, "x", "y"), now, effects);
}
