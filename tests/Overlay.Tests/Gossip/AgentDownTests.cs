using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>A dead agent is not a dead host: what it said stands while the host's kernel answers.</summary>
public sealed class AgentDownTests
{
    private const int Victim = 1;
    private const string Entry = "node-01/web=10.0.0.2";

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(50);

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(20)]
    public void Nothing_changes_for_the_others_while_only_the_agent_is_dead(int count)
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            GossipCluster cluster = Cluster(count, seed);
            cluster.KillAgent(Victim);
            Watch(cluster, TimeSpan.FromSeconds(60), () => Assert.True(Others(cluster).All(Sees)));
            Assert.All(Others(cluster), n => Assert.Equal(
                (MemberState.Dead, Presence.AgentDown), (Of(n).State, Of(n).Presence)));
            Assert.All(Others(cluster), n => Assert.DoesNotContain(n.Events, IsLost));
        }
    }

    [Fact]
    public void An_agent_that_hangs_is_as_good_as_a_dead_one()
    {
        GossipCluster cluster = Cluster(4, seed: 4);
        cluster.Hang(Victim);
        Watch(cluster, TimeSpan.FromSeconds(60), () => Assert.True(Others(cluster).All(Sees)));
        Assert.All(Others(cluster), n => Assert.Equal(Presence.AgentDown, Of(n).Presence));
    }

    [Fact]
    public void The_agent_s_return_ends_it_and_nothing_was_lost_in_between()
    {
        GossipCluster cluster = Cluster(4, seed: 5);
        cluster.KillAgent(Victim);
        cluster.Run(TimeSpan.FromSeconds(40));
        cluster.Start(Victim, 0);
        cluster.Do(Victim, (s, now, e) => s.Subscribe("blue", now, e));
        cluster.Put(Victim, "blue", "web", "10.0.0.2");
        cluster.Do(Victim, (s, now, e) => s.Settle(now, e));
        Watch(cluster, TimeSpan.FromSeconds(30), () => Assert.True(Others(cluster).All(Sees)));
        Assert.True(cluster.AllAgree());
        Assert.All(Others(cluster), n => Assert.Equal(Presence.Alive, Of(n).Presence));
        Assert.All(Others(cluster), n => Assert.DoesNotContain(n.Events, IsLost));
    }

    [Theory]
    [InlineData(3, false)]
    [InlineData(3, true)]
    [InlineData(20, false)]
    public void Of_a_host_that_is_gone_or_cut_off_nothing_stays_once_it_is_dead(int count, bool cutOff)
    {
        for (ulong seed = 1; seed <= 5; seed++)
        {
            GossipCluster cluster = Cluster(count, seed);
            string victim = GossipCluster.NameOf(Victim);
            if (cutOff)
            {
                cluster.Reachable = (a, b) => a != victim && b != victim;
            }
            else
            {
                cluster.Crash(Victim);
            }

            TimeSpan dead = cluster.RunUntil(
                TimeSpan.FromSeconds(40), () => Others(cluster).All(n => Of(n).State == MemberState.Dead));
            TimeSpan gone = cluster.RunUntil(TimeSpan.FromSeconds(4), () => !Others(cluster).Any(Sees));
            Assert.True(count > 3 || gone <= SwimOptions.Lan.CutWindow + Step, $"seed {seed}: {gone} more than the {dead} to its death");
            Assert.All(Others(cluster), n => Assert.Equal(Presence.Dead, Of(n).Presence));
        }
    }

    [Fact]
    public void The_hold_ends_by_itself()
    {
        GossipCluster cluster = Cluster(3, seed: 6, SwimOptions.Lan with { AgentDownHold = TimeSpan.FromSeconds(30) });
        cluster.KillAgent(Victim);
        cluster.RunUntil(TimeSpan.FromSeconds(15), () => Others(cluster).All(n => Of(n).Presence == Presence.AgentDown));
        Assert.True(Others(cluster).All(Sees));
        TimeSpan held = cluster.RunUntil(TimeSpan.FromSeconds(40), () => !Others(cluster).Any(Sees));
        Assert.InRange(held.TotalSeconds, 25, 32);
        cluster.Run(TimeSpan.FromMinutes(2));
        Assert.All(Others(cluster), n => Assert.Equal(Presence.Dead, Of(n).Presence));
        Assert.True(Others(cluster).All(n => n.Swim.Counters.HostChecks < 30));
    }

    [Fact]
    public void A_host_that_follows_its_agent_is_dropped_within_seconds()
    {
        GossipCluster cluster = Cluster(5, seed: 7);
        cluster.KillAgent(Victim);
        cluster.Run(TimeSpan.FromSeconds(60));
        Assert.True(Others(cluster).All(Sees));
        cluster.Crash(Victim);
        cluster.RunUntil(TimeSpan.FromSeconds(9), () => !Others(cluster).Any(Sees));
        Assert.All(Others(cluster), n => Assert.Equal(Presence.Dead, Of(n).Presence));
    }

    [Fact]
    public void Who_left_is_not_held_though_its_host_answers()
    {
        GossipCluster cluster = Cluster(4, seed: 8);
        cluster.Do(Victim, (s, now, e) => s.Leave(now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => !Others(cluster).Any(Sees));
        cluster.KillAgent(Victim);
        cluster.Run(TimeSpan.FromSeconds(30));
        Assert.All(Others(cluster), n => Assert.Equal(Presence.Left, Of(n).Presence));
        Assert.DoesNotContain(Others(cluster), Sees);
    }

    [Fact]
    public void Who_was_removed_is_not_held_though_its_host_answers()
    {
        GossipCluster cluster = Cluster(4, seed: 9);
        cluster.KillAgent(Victim);
        cluster.Run(TimeSpan.FromSeconds(30));
        foreach (int i in (int[])[0, 2, 3])
        {
            cluster.Do(i, (s, now, e) => s.Forget(GossipCluster.NameOf(Victim), now, e));
        }

        Assert.DoesNotContain(Others(cluster), Sees);
        cluster.Run(TimeSpan.FromSeconds(30));
        Assert.DoesNotContain(Others(cluster), Sees);
    }

    [Fact]
    public void Without_a_hold_a_dead_agent_is_a_dead_host_and_nobody_is_dialled()
    {
        GossipCluster cluster = Cluster(3, seed: 10, SwimOptions.Lan with { AgentDownHold = TimeSpan.Zero });
        cluster.KillAgent(Victim);
        cluster.RunUntil(TimeSpan.FromSeconds(15), () => !Others(cluster).Any(Sees));
        Assert.All(Others(cluster), n => Assert.Equal(0, n.Swim.Counters.HostChecks));
    }

    private static GossipCluster Cluster(int count, ulong seed, SwimOptions? options = null)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed, options);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        for (int i = 0; i < count; i++)
        {
            cluster.Do(i, (s, now, e) => s.Subscribe("blue", now, e));
        }

        cluster.Put(Victim, "blue", "web", "10.0.0.2");
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Others(cluster).All(Sees));
        return cluster;
    }

    private static void Watch(GossipCluster cluster, TimeSpan duration, Action check)
    {
        Instant end = cluster.Now + duration;
        while (cluster.Now < end)
        {
            cluster.Run(Step);
            check();
        }
    }

    private static IEnumerable<GossipCluster.Node> Others(GossipCluster cluster) =>
        cluster.Live.Where(n => n.Name != GossipCluster.NameOf(Victim));

    private static bool Sees(GossipCluster.Node node) => node.Table("blue") == Entry;

    private static Member Of(GossipCluster.Node node) => node.Swim.Find(GossipCluster.NameOf(Victim))!;

    private static bool IsLost(GossipEvent happened) => happened is GossipEvent.EntryChanged { Value: null };
}
