using Overlay.Gossip;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Tests.Gossip.Attacks;

namespace Overlay.Tests.Gossip.Verdicts;

/// <summary>Node 0 is the manager; all others have a session with it.</summary>
public sealed class SessionWatchTests
{
    private const int Manager = 0;
    private const int Victim = 1;

    [Fact]
    public void An_agent_that_falls_silent_is_looked_at_within_the_time_of_a_sign_and_its_grace()
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            GossipCluster cluster = WithSessions(5, seed);
            CutOff(cluster, Victim);
            TimeSpan took = cluster.RunUntil(
                TimeSpan.FromMilliseconds(1360), () => cluster[Manager].Swim.Counters.Inquiries > 0, $"seed {seed}");
            Assert.True(took > TimeSpan.FromMilliseconds(250), $"seed {seed}: {took}");
            cluster.RunUntil(TimeSpan.FromSeconds(1.2), () => IsDead(cluster, Victim), $"seed {seed}: the verdict");
        }
    }

    [Fact]
    public void A_manager_that_falls_silent_is_found_by_its_agents()
    {
        for (ulong seed = 1; seed <= 20; seed++)
        {
            GossipCluster cluster = WithSessions(6, seed);
            CutOff(cluster, Manager);
            cluster.RunUntil(TimeSpan.FromSeconds(2.2), () => IsDead(cluster, Manager), $"seed {seed}");
        }
    }

    [Fact]
    public void Lost_packets_are_repeated_and_start_no_inquiry()
    {
        GossipCluster cluster = WithSessions(5, seed: 3);
        cluster.Loss = 0.05;
        cluster.Run(TimeSpan.FromMinutes(5));
        // Four sessions, 300 signs each: by chance one in twenty is lost, and so is a question or its answer.
        Assert.InRange(cluster.Live.Sum(static n => n.Swim.Counters.Inquiries), 0, 10);
        Assert.DoesNotContain(cluster.Live.SelectMany(static n => n.Swim.Members), static m => m.State == MemberState.Dead);
    }

    [Fact]
    public void An_end_that_goes_on_silent_is_looked_at_ever_more_rarely()
    {
        // Of two nodes nobody is judged, and nobody else asks.
        GossipCluster cluster = WithSessions(2, seed: 4);
        cluster.DatagramsPass = static (_, _) => false;
        cluster.Run(TimeSpan.FromSeconds(12));
        Assert.InRange(cluster[Manager].Swim.Counters.Inquiries, 2, 4);
        Assert.InRange(cluster[Victim].Swim.Counters.Inquiries, 2, 4);
    }

    [Fact]
    public void A_question_is_a_packet_of_73_bytes_sealed()
    {
        const int headers = 28;
        Target target = new(options: SwimOptions.Lan with
        {
            ProbeInterval = TimeSpan.FromDays(1),
            TableSyncInterval = TimeSpan.FromDays(1),
            SessionPingInterval = TimeSpan.FromSeconds(1),
            SessionGrace = TimeSpan.FromMilliseconds(350),
        });
        target.Hear(Target.Alive("b", 2, 1));
        target.Start();
        target.Swim.WatchSession("b", asks: true, target.Now, target.Effects);
        target.Advance(TimeSpan.FromSeconds(0.9));
        target.Effects.Clear();
        target.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(73, Assert.Single(target.Effects.Datagrams).Payload.Length + headers);
    }

    [Theory]
    [InlineData(false, 0)]
    [InlineData(true, 1)]
    public void An_agent_that_is_accused_is_told_with_its_next_sign(bool asks, int answers)
    {
        Target target = new();
        target.Hear(Target.Alive("b", 2, 1));
        target.Start();
        target.Swim.WatchSession("b", asks: false, target.Now, target.Effects);
        target.Hear(new GossipMessage.Dead(1, "b", "c"));
        target.Effects.Clear();
        BeatMessage beat = new(asks ? BeatKind.Question : BeatKind.Sign, MemberDigest.HashOf("b"), 5);
        target.Hear(new GossipMessage.User(beat.Write(new byte[BeatMessage.MaxBytes]).ToArray()));
        Assert.Equal("b", Assert.Single(target.Sent<GossipMessage.Dead>()).Node);
        Assert.Equal(answers, target.Sent<GossipMessage.User>().Count());
    }

    [Fact]
    public void Garbage_is_no_sign_of_life()
    {
        byte[] question = new BeatMessage(BeatKind.Question, 7, 9).Write(new byte[BeatMessage.MaxBytes]).ToArray();
        Assert.True(BeatMessage.TryRead(question, out BeatMessage read));
        Assert.Equal(new(BeatKind.Question, 7, 9), read);
        for (int length = 0; length < question.Length; length++)
        {
            Assert.False(BeatMessage.TryRead(question.AsSpan(0, length), out _));
        }

        Assert.False(BeatMessage.TryRead([.. question, 0], out _));
        question[2] = 3;
        Assert.False(BeatMessage.TryRead(question, out _));
        byte[] sign = new BeatMessage(BeatKind.Sign, 7, 0).Write(new byte[BeatMessage.MaxBytes]).ToArray();
        Assert.True(BeatMessage.TryRead(sign, out read));
        Assert.Equal(new(BeatKind.Sign, 7, 0), read);
    }

    [Fact]
    public void A_session_that_was_closed_proves_nothing()
    {
        GossipCluster cluster = WithSessions(5, seed: 5);
        cluster.Do(Manager, (s, _, _) => s.EndSession(GossipCluster.NameOf(Victim)));
        cluster.Do(Victim, (s, _, _) => s.EndSession(GossipCluster.NameOf(Manager)));
        CutOff(cluster, Victim);
        cluster.Run(TimeSpan.FromSeconds(2));
        Assert.Equal(0, cluster[Manager].Swim.Counters.Inquiries);
    }

    [Fact]
    public void A_node_that_was_paused_blames_nobody_for_what_it_missed()
    {
        GossipCluster cluster = WithSessions(5, seed: 6);
        GossipEffects effects = new();
        // Ten seconds on its clock without a look at it, and without a packet.
        cluster[Manager].Swim.Advance(cluster.Now + TimeSpan.FromSeconds(10), effects);
        Assert.Equal(0, cluster[Manager].Swim.Counters.Inquiries);
    }

    [Fact]
    public void The_more_members_the_rarer_each_pings_so_that_the_manager_bears_it()
    {
        static long Pings(int count)
        {
            GossipCluster cluster = GossipCluster.Of(count, seed: 7, SwimOptions.Lan with { SessionPingInterval = TimeSpan.FromMilliseconds(60) });
            cluster.Run(TimeSpan.FromSeconds(20));
            long before = cluster.DatagramsDelivered;
            cluster.Run(TimeSpan.FromSeconds(12));
            long without = cluster.DatagramsDelivered - before;
            OpenSessions(cluster, count);
            before = cluster.DatagramsDelivered;
            cluster.Run(TimeSpan.FromSeconds(12));
            return cluster.DatagramsDelivered - before - without;
        }

        // In 12 s: 200 signs each at the shortest interval, 100 at 40 members; a question every second, or every four.
        Assert.InRange(Pings(10) / 9, 195, 225);
        Assert.InRange(Pings(40) / 39, 95, 115);
    }

    private static GossipCluster WithSessions(int count, ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed);
        cluster.RunUntil(TimeSpan.FromSeconds(20), cluster.AllAgree);
        OpenSessions(cluster, count);
        cluster.Run(TimeSpan.FromSeconds(5) + TimeSpan.FromMilliseconds(37 * (double)seed));
        return cluster;
    }

    private static void OpenSessions(GossipCluster cluster, int count)
    {
        for (int i = 1; i < count; i++)
        {
            string agent = GossipCluster.NameOf(i);
            cluster.Do(i, (s, now, e) => s.WatchSession(GossipCluster.NameOf(Manager), asks: true, now, e));
            cluster.Do(Manager, (s, now, e) => s.WatchSession(agent, asks: false, now, e));
        }
    }

    private static void CutOff(GossipCluster cluster, int index)
    {
        string name = GossipCluster.NameOf(index);
        cluster.Reachable = (a, b) => a != name && b != name;
    }

    private static bool IsDead(GossipCluster cluster, int index) => cluster.Live
        .Where(n => n.Name != GossipCluster.NameOf(index))
        .All(n => n.Swim.Find(GossipCluster.NameOf(index))!.State == MemberState.Dead);
}
