using System.Text;
using Overlay.Gossip;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Verdicts;

/// <summary>Several observers' evidence makes a verdict; one observer's never does.</summary>
public sealed class JuryTests
{
    private const int Judge = 0;
    private const int Victim = 1;

    private static readonly TimeSpan Fast = TimeSpan.FromSeconds(2);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    [InlineData(20)]
    public void A_host_that_is_cut_off_is_gone_for_all_soon_after_the_first_evidence(int count)
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            GossipCluster cluster = Cluster(count, seed);
            CutOff(cluster, Victim);
            cluster.Do(Judge, HintOfVictim);
            cluster.RunUntil(Fast, () => Others(cluster).All(n => Of(n).Presence == Presence.Dead), $"seed {seed}");
            Assert.Equal(1, cluster[Judge].Swim.Counters.FusedVerdicts);
            Assert.True(Others(cluster).All(n => !n.Table("blue").Contains("node-01", StringComparison.Ordinal)));
            Assert.All(Others(cluster), n => Assert.DoesNotContain(
                n.Swim.Members, m => m.Presence != Presence.Alive && m.Name != GossipCluster.NameOf(Victim)));
        }
    }

    [Fact]
    public void Of_two_members_neither_judges_the_other_ahead_of_its_suspicion()
    {
        GossipCluster cluster = Cluster(2, seed: 2);
        CutOff(cluster, Victim);
        cluster.Do(Judge, HintOfVictim);
        cluster.Run(Fast);
        Assert.NotEqual(Presence.Dead, Of(cluster[Judge]).Presence);
        Assert.Equal(0, cluster[Judge].Swim.Counters.FusedVerdicts);
        cluster.RunUntil(TimeSpan.FromSeconds(30), () => Of(cluster[Judge]).Presence == Presence.Dead);
    }

    [Fact]
    public void Who_is_silent_to_one_observer_only_is_left_to_the_ordinary_suspicion()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            GossipCluster cluster = Cluster(5, seed);
            string judge = GossipCluster.NameOf(Judge);
            string victim = GossipCluster.NameOf(Victim);
            cluster.Reachable = (a, b) => !((a == judge && b == victim) || (a == victim && b == judge));
            for (int i = 0; i < 10; i++)
            {
                cluster.Do(Judge, HintOfVictim);
                cluster.Run(TimeSpan.FromSeconds(1));
            }

            Assert.Equal((10, 0), ((int)cluster[Judge].Swim.Counters.Inquiries, (int)cluster[Judge].Swim.Counters.FusedVerdicts));
            Assert.All(Others(cluster), n => Assert.NotEqual(Presence.Dead, Of(n).Presence));
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_kernel_that_answers_for_a_dead_or_hanging_agent_stops_it(bool hangs)
    {
        GossipCluster cluster = Cluster(5, seed: 3);
        if (hangs)
        {
            cluster.Hang(Victim);
        }
        else
        {
            cluster.KillAgent(Victim);
        }

        for (int i = 0; i < 30; i++)
        {
            cluster.Do(Judge, HintOfVictim);
            cluster.Run(TimeSpan.FromSeconds(1));
            Assert.All(Others(cluster), n => Assert.Contains("node-01/web", n.Table("blue"), StringComparison.Ordinal));
        }

        Assert.Equal(0, cluster[Judge].Swim.Counters.FusedVerdicts);
        Assert.All(Others(cluster), n => Assert.Equal(Presence.AgentDown, Of(n).Presence));
    }

    [Fact]
    public void Who_is_cut_off_itself_declares_nobody_dead_by_it()
    {
        GossipCluster cluster = Cluster(5, seed: 4);
        CutOff(cluster, Judge);
        for (int i = 0; i < 3; i++)
        {
            for (int other = 1; other < 5; other++)
            {
                string name = GossipCluster.NameOf(other);
                cluster.Do(Judge, (s, now, e) => s.Hint(name, now, e));
            }

            cluster.Run(TimeSpan.FromSeconds(1));
        }

        Assert.Equal(0, cluster[Judge].Swim.Counters.FusedVerdicts);
        Assert.DoesNotContain(cluster[Judge].Swim.Members, m => m.Presence == Presence.Dead);
    }

    [Fact]
    public void The_smaller_half_of_a_split_judges_nobody_and_the_larger_all_of_the_smaller()
    {
        GossipCluster cluster = Cluster(7, seed: 5);
        cluster.Reachable = (a, b) => IsSmall(a) == IsSmall(b);
        for (int i = 0; i < 2; i++)
        {
            foreach (int lost in new[] { 5, 6 })
            {
                cluster.Do(Judge, (s, now, e) => s.Hint(GossipCluster.NameOf(lost), now, e));
            }

            for (int lost = 0; lost < 5; lost++)
            {
                string name = GossipCluster.NameOf(lost);
                cluster.Do(5, (s, now, e) => s.Hint(name, now, e));
            }

            cluster.Run(TimeSpan.FromSeconds(1.5));
        }

        Assert.Equal(2, cluster[Judge].Swim.Counters.FusedVerdicts);
        Assert.Equal(0, cluster[5].Swim.Counters.FusedVerdicts);

        static bool IsSmall(string name) => string.CompareOrdinal(name, GossipCluster.NameOf(5)) >= 0;
    }

    [Fact]
    public void An_observer_that_comes_late_is_unsure()
    {
        (Swim observer, GossipEffects e, Instant now) = Observer();
        e.Clear();
        observer.Receive(Rig.Asker, Rig.Ask(), now, e);
        // Its loop comes only long after the look was to end.
        observer.Advance(now + TimeSpan.FromSeconds(2), e);
        observer.Advance(now + TimeSpan.FromSeconds(2.1), e);
        Assert.Equal([Finding.Unsure], Rig.Told(e));
    }

    [Fact]
    public void An_observer_on_time_finds_silence_and_one_that_hears_an_answer_life()
    {
        (Swim observer, GossipEffects e, Instant now) = Observer();
        e.Clear();
        observer.Receive(Rig.Asker, Rig.Ask(), now, e);
        observer.StreamFailed(Assert.Single(e.Dials).ExchangeId, StreamFailure.Unreachable, now, e);
        Instant end = now + TimeSpan.FromSeconds(1);
        while (observer.NextDeadline is var next && next <= end)
        {
            observer.Advance(next, e);
        }

        Assert.Equal([Finding.Silent], Rig.Told(e));
        // The ordinary probe may be among them.
        Assert.InRange(Rig.Messages(e).OfType<GossipMessage.Ping>().Count(p => p.Node == "c" && p.SourceNode == "b"), 3, 4);

        (observer, e, now) = Observer();
        e.Clear();
        observer.Receive(Rig.Asker, Rig.Ask(), now, e);
        uint sequence = Rig.Messages(e).OfType<GossipMessage.Ping>().First().SequenceNumber;
        observer.Receive(Rig.Subject, Rig.Seal(new GossipMessage.Ack(sequence, [])), now + TimeSpan.FromMilliseconds(1), e);
        Assert.Equal([Finding.Alive], Rig.Told(e));
    }

    [Fact]
    public void Findings_that_nobody_asked_for_and_repeated_ones_count_nothing()
    {
        GossipCluster cluster = Cluster(5, seed: 6);
        CutOff(cluster, Victim);
        // Everybody but the judge is deaf: the only findings are the forged ones.
        cluster.Do(Judge, HintOfVictim);
        string subject = GossipCluster.NameOf(Victim);
        cluster.Reachable = (a, b) => a == b;
        uint incarnation = Of(cluster[Judge]).Incarnation;
        foreach (string sender in new[] { "stranger", "node-00", subject, "node-02", "node-02", "node-02" })
        {
            byte[] forged = Rig.Seal(Rig.Jury(sender, subject, incarnation + 1, Finding.Silent));
            cluster.Inject(Judge, cluster[2].Address, forged);
            cluster.Inject(Judge, cluster[2].Address, Rig.Seal(
                Rig.Jury("stranger", subject, incarnation, Finding.Silent)));
        }

        cluster.Run(TimeSpan.FromSeconds(2));
        Assert.Equal(0, cluster[Judge].Swim.Counters.FusedVerdicts);
    }

    [Fact]
    public void Messages_survive_writing_and_garbage_is_refused()
    {
        string longest = new('ü', 127);
        foreach ((string subject, uint incarnation, Finding? finding) in new (string, uint, Finding?)[]
            { ("b", 7, null), ("b", uint.MaxValue, Finding.HostUp), (longest, 128, Finding.Silent), ("b", 0, Finding.Unsure) })
        {
            Assert.True(JuryMessage.TryRead(Rig.Jury("a", subject, incarnation, finding).Payload, out JuryMessage read));
            Assert.Equal(("a", subject), (Encoding.UTF8.GetString(read.Sender), Encoding.UTF8.GetString(read.Subject)));
            Assert.Equal((incarnation, finding), (read.Incarnation, read.Finding));
        }

        byte[] bytes = Rig.Jury("a", "b", uint.MaxValue, Finding.HostUp).Payload;
        for (int length = 0; length < bytes.Length; length++)
        {
            Assert.False(JuryMessage.TryRead(bytes.AsSpan(0, length), out _));
        }

        Assert.False(JuryMessage.TryRead([.. bytes, 0], out _));
        Prng prng = new(1);
        for (int i = 0; i < 10_000; i++)
        {
            byte[] garbage = new byte[prng.Next(40)];
            prng.Fill(garbage);
            "J\u0001"u8[..Math.Min(2, garbage.Length)].CopyTo(garbage);
            JuryMessage.TryRead(garbage, out _);
        }
    }

    [Fact]
    public void Healed_after_any_time_all_is_back_soon()
    {
        foreach (int minutes in new[] { 0, 3, 30 })
        {
            GossipCluster cluster = Cluster(5, seed: 7);
            CutOff(cluster, Victim);
            cluster.Do(Judge, HintOfVictim);
            cluster.Run(TimeSpan.FromMinutes(minutes) + TimeSpan.FromSeconds(30));
            Assert.All(Others(cluster), n => Assert.Equal(Presence.Dead, Of(n).Presence));
            cluster.Reachable = (_, _) => true;
            TimeSpan limit = TimeSpan.FromSeconds(minutes >= 10 ? 12 : 3);
            cluster.Run(limit);
            Assert.True(
                cluster.Live.All(n => n.Swim.Members.Count(m => m.Presence is Presence.Alive or Presence.Suspect) == 5
                    && n.Table("blue").Contains("node-01/web", StringComparison.Ordinal)),
                $"after {minutes} minutes: " + string.Join("; ", cluster.Live.Select(
                    n => $"{n.Name} {string.Join(",", n.Swim.Members.Select(m => m.Presence))} {n.Table("blue")}")));
        }
    }

    [Fact]
    public void A_sign_of_life_from_outside_brings_the_long_dead_back_at_once()
    {
        GossipCluster cluster = Cluster(5, seed: 8);
        CutOff(cluster, Victim);
        cluster.Run(TimeSpan.FromMinutes(30));
        cluster.Reachable = (_, _) => true;
        cluster.Do(Judge, (s, now, e) => s.WatchSession(GossipCluster.NameOf(Victim), asks: false, now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(1), () => Others(cluster).All(n => Of(n).Presence == Presence.Alive));
    }

    private static void HintOfVictim(Swim swim, Instant now, GossipEffects e) =>
        swim.Hint(GossipCluster.NameOf(Victim), now, e);

    private static GossipCluster Cluster(int count, ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed);
        cluster.RunUntil(TimeSpan.FromSeconds(20), cluster.AllAgree);
        for (int i = 0; i < count; i++)
        {
            cluster.Do(i, (s, now, e) => s.Subscribe("blue", now, e));
        }

        cluster.Put(Victim, "blue", "web", "10.0.0.2");
        cluster.RunUntil(TimeSpan.FromSeconds(10), () => cluster.Live.All(
            n => n.Table("blue").Contains("node-01/web", StringComparison.Ordinal)));
        return cluster;
    }

    private static void CutOff(GossipCluster cluster, int index)
    {
        string name = GossipCluster.NameOf(index);
        cluster.Reachable = (a, b) => a != name && b != name;
    }

    private static IEnumerable<GossipCluster.Node> Others(GossipCluster cluster) =>
        cluster.Live.Where(n => n.Name != GossipCluster.NameOf(Victim));

    private static Member Of(GossipCluster.Node node) => node.Swim.Find(GossipCluster.NameOf(Victim))!;

    /// <summary>Node b, which knows a and c.</summary>
    private static (Swim Observer, GossipEffects Effects, Instant Now) Observer()
    {
        GossipEffects e = new();
        Instant now = new(1_000_000_000_000);
        Swim observer = new("b", Rig.Self, new byte[1], 5, SwimOptions.Lan, GossipCluster.Keys, new(1));
        observer.Start(now, e);
        observer.Receive(Rig.Asker, Rig.Seal(Rig.Alive("a", Rig.Asker)), now, e);
        observer.Receive(Rig.Subject, Rig.Seal(Rig.Alive("c", Rig.Subject)), now, e);
        return (observer, e, now);
    }
}
