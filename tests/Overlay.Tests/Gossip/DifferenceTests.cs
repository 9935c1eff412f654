using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>Digests in acks, exchanges of differences, and what follows from them.</summary>
public sealed class DifferenceTests
{
    [Fact]
    public void Nodes_that_agree_have_equal_digests_and_exchange_nothing()
    {
        GossipCluster cluster = GossipCluster.Of(6, seed: 4);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Run(TimeSpan.FromSeconds(10));
        long before = cluster.Live.Sum(static n => n.Swim.Counters.DifferenceExchanges + n.Swim.Counters.PushPulls);
        cluster.Run(TimeSpan.FromMinutes(5));
        Assert.Equal(before, cluster.Live.Sum(static n => n.Swim.Counters.DifferenceExchanges + n.Swim.Counters.PushPulls));
    }

    [Fact]
    public void A_member_that_one_node_missed_reaches_it_by_an_exchange_of_differences()
    {
        GossipCluster cluster = GossipCluster.Of(4, seed: 5);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        // The last hears of the newcomer from nobody: neither rumours nor the newcomer itself reach it.
        cluster.Reachable = static (_, to) => to != "node-03";
        cluster.Start(4, 0);
        cluster.Run(TimeSpan.FromSeconds(2));
        Assert.Null(cluster[3].Swim.Find("node-04"));
        long before = cluster[3].Swim.Counters.DifferenceExchanges;
        cluster.Run(TimeSpan.FromSeconds(1));
        cluster.Reachable = static (_, _) => true;
        cluster.RunUntil(TimeSpan.FromSeconds(15), cluster.AllAgree);
        Assert.True(cluster.Live.Sum(static n => n.Swim.Counters.DifferenceExchanges) > before);
    }

    /// <summary>It has no seeds that could help: whoever still takes it for a member has to make itself known.</summary>
    [Fact]
    public void A_restarted_node_that_remembers_nobody_is_found_by_those_that_ping_it()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            GossipCluster cluster = GossipCluster.Of(4, seed);
            cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
            cluster.Run(TimeSpan.FromSeconds(10));
            cluster.Crash(0);
            cluster.Start(0);
            cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree, $"seed {seed}: that all know each other");
        }
    }

    /// <summary>The two are each other's seeds, and both others still take them for alive.</summary>
    [Fact]
    public void Two_that_restart_together_and_know_only_each_other_are_found()
    {
        GossipCluster cluster = GossipCluster.Of(4, seed: 116);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Run(TimeSpan.FromSeconds(10));
        cluster.Crash(0);
        cluster.Crash(1);
        cluster.Start(0);
        cluster.Start(1, 0);
        cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree, "that all know each other");
    }

    [Fact]
    public void Dials_to_a_silent_host_do_not_keep_the_living_from_comparing()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            GossipCluster cluster = GossipCluster.Of(5, seed);
            cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
            cluster.Crash(4);
            cluster.Run(TimeSpan.FromMinutes(1));
            cluster.Reachable = static (_, to) => to != "node-03";
            cluster.Start(5, 0);
            cluster.Run(TimeSpan.FromSeconds(3));
            cluster.Reachable = static (_, _) => true;
            cluster.RunUntil(TimeSpan.FromSeconds(8), cluster.AllAgree, $"seed {seed}: that all know each other");
        }
    }

    [Fact]
    public void Digests_count_lives_and_descriptions_of_the_living_only()
    {
        MemberEntry self = Entry("a", MemberState.Alive);
        MemberEntry other = Entry("b", MemberState.Alive);
        ulong both = DigestOf(self, other);
        Assert.Equal(2, MemberDigest.CountOf(both));
        Assert.Equal(both, DigestOf(other, self));
        other.State = MemberState.Suspect;
        Assert.Equal(both, DigestOf(self, other));
        other.Incarnation = 9;
        Assert.Equal(both, DigestOf(self, other));
        other.Described = 9;
        Assert.NotEqual(both, DigestOf(self, other));
        other.State = MemberState.Dead;
        Assert.Equal(DigestOf(self), DigestOf(self, other));
    }

    /// <summary>They are kept up to date change by change; counted anew they are the same.</summary>
    [Fact]
    public void What_is_kept_of_all_members_is_what_they_are()
    {
        Prng prng = new(4);
        MemberList list = new(Entry("me", MemberState.Alive), new(), SwimOptions.Lan, prng, new(8), new());
        GossipEffects e = new();
        Instant now = new(1);
        for (int step = 0; step < 4000; step++)
        {
            now += TimeSpan.FromMilliseconds(200);
            string name = $"n{prng.Next(12)}";
            uint incarnation = (uint)(step / 50) + (uint)prng.Next(3);
            switch (prng.Next(6))
            {
                case 0 or 1:
                    list.Apply(new GossipMessage.Alive(
                        incarnation, name, new(IPAddress.Loopback, 7946), [], [1, 5, 2, 2, 5, 5], 5 + (ulong)(step / 900)), now, e);
                    break;
                case 2:
                    list.Apply(new GossipMessage.Suspect(incarnation, name, "n1"), now, e);
                    break;
                case 3:
                    list.Apply(new GossipMessage.Dead(incarnation, name, prng.Chance(0.3) ? name : "n1"), now, e);
                    break;
                case 4 when prng.Chance(0.1):
                    list.Remove(name, e);
                    break;
                default:
                    list.Advance(now, e);
                    break;
            }

            MemberEntry[] all = [.. list.Others, list.Self];
            Assert.Equal(DigestOf(all), list.Digest);
            Assert.Equal(all.Count(static m => m.State == MemberState.Dead), list.DeadCount);
            Assert.Equal(all.Count(static m => m.IsLive), list.LiveCount);
            Assert.Same(list.Others.Where(static m => m.IsLive).MinBy(m => m.NameHash - list.Self.NameHash), list.Successor);
        }
    }

    private static ulong DigestOf(params MemberEntry[] all)
    {
        MemberEntry[] live = [.. all.Where(static m => m.IsLive)];
        return MemberDigest.Of(live.Aggregate(0UL, static (sum, m) => sum + MemberDigest.PrintOf(m)), live.Length);
    }

    [Fact]
    public void The_extensions_survive_the_wire_and_their_absence_costs_nothing()
    {
        List<GossipMessage> read = [];
        byte[] plain = PacketCodec.Encode([new GossipMessage.Ack(7, [])], Keyring.Plaintext, new(1), crc: false);
        byte[] extended = PacketCodec.Encode([new GossipMessage.Ack(7, [], 1UL << 60)], Keyring.Plaintext, new(1), crc: false);
        Assert.True(PacketCodec.TryDecode(extended, Keyring.Plaintext, read, out _));
        Assert.Equal(1UL << 60, Assert.IsType<GossipMessage.Ack>(read.Single()).Digest);
        Assert.Equal(plain.Length + 4 + 9, extended.Length);
        byte[] unit = StreamCodec.Encode(new GossipMessage.PushPull(false, [], [], [1, 2, 3]), Keyring.Plaintext, new(1));
        Assert.True(StreamCodec.TryDecode(unit, Keyring.Plaintext, out GossipMessage? message, out _));
        Assert.Equal([1, 2, 3], Assert.IsType<GossipMessage.PushPull>(message).Known!);
    }

    [Fact]
    public void A_member_that_answers_streams_only_is_degraded_until_it_answers_a_packet()
    {
        GossipCluster cluster = GossipCluster.Of(3, seed: 6);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.DatagramsPass = static (from, to) => from != "node-02" && to != "node-02";
        cluster.Run(TimeSpan.FromSeconds(20));
        Assert.True(cluster[0].Swim.Find("node-02") is { IsDegraded: true, State: MemberState.Alive });
        Assert.Equal(0, cluster[0].Swim.HealthScore);
        cluster.DatagramsPass = static (_, _) => true;
        cluster.Run(TimeSpan.FromSeconds(20));
        Assert.False(cluster[0].Swim.Find("node-02")!.IsDegraded);
        Assert.DoesNotContain(cluster[0].Events, static x => x is GossipEvent.MemberChanged { Member.State: MemberState.Dead });
    }

    [Fact]
    public void Who_is_found_degraded_is_asked_again_at_once_and_not_a_round_later()
    {
        GossipCluster cluster = GossipCluster.Of(30, seed: 8);
        cluster.RunUntil(TimeSpan.FromSeconds(10), cluster.AllAgree);
        bool cut = true;
        cluster.DatagramsPass = (from, to) => !cut || (from != "node-07" && to != "node-07");

        cluster.RunUntil(TimeSpan.FromSeconds(60), () => cluster[0].Swim.Find("node-07")!.IsDegraded);
        cut = false;
        TimeSpan degraded = cluster.RunUntil(TimeSpan.FromSeconds(60), () => !cluster[0].Swim.Find("node-07")!.IsDegraded);

        Assert.InRange(degraded, TimeSpan.Zero, 2 * SwimOptions.Lan.ProbeInterval);
    }

    [Fact]
    public void One_source_cannot_take_all_the_relays()
    {
        GossipCluster cluster = GossipCluster.Of(3, seed: 7);
        cluster.Run(TimeSpan.FromSeconds(5));
        long before = cluster[0].Swim.Counters.Refused;
        for (uint i = 0; i < 100; i++)
        {
            var request = new GossipMessage.IndirectPing(i, new(IPAddress.Parse("10.9.9.9"), 7946), "nobody", false, null, "");
            byte[] packet = PacketCodec.Encode([request], GossipCluster.Keys, new(i + 1), crc: false);
            cluster.Inject(0, new(IPAddress.Parse("10.7.7.7"), 7946), packet);
        }

        Assert.Equal(before + 68, cluster[0].Swim.Counters.Refused);
    }

    [Fact]
    public void Short_round_trips_ask_relays_early_and_long_ones_at_the_limit()
    {
        var trips = new RoundTrips(SwimOptions.Lan);
        Assert.Equal(SwimOptions.Lan.ProbeTimeout, trips.Timeout(null));
        for (int i = 0; i < 20; i++)
        {
            trips.Add(TimeSpan.FromMilliseconds(2));
        }

        Assert.Equal(SwimOptions.Lan.MinProbeTimeout, trips.Timeout(null));
        Assert.InRange(trips.Timeout(0.1), TimeSpan.FromMilliseconds(200), TimeSpan.FromMilliseconds(210));
        Assert.Equal(SwimOptions.Lan.ProbeTimeout, trips.Timeout(5));
        Assert.Equal(GossipProfiles.Memberlist.ProbeTimeout, new RoundTrips(GossipProfiles.Memberlist).Timeout(0.001));
    }

    private static MemberEntry Entry(string name, MemberState state) =>
        new(name, new(IPAddress.Loopback, 7946)) { State = state, BootId = 3, Incarnation = 2, Described = 2 };
}
