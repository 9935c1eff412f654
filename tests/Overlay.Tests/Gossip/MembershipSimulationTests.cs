using Overlay.Gossip;
using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip;

public sealed class MembershipSimulationTests
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(20)]
    public void Joining_nodes_all_see_each_other_within_seconds(int count)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed: 1);
        TimeSpan took = cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        Assert.True(took < TimeSpan.FromSeconds(5));
        Assert.All(cluster.Live, n => Assert.Equal(count, n.Swim.Members.Count));
    }

    [Fact]
    public void A_seed_that_is_not_up_yet_is_tried_until_it_answers()
    {
        var cluster = new GossipCluster(3);
        cluster.Start(0);
        cluster.KillAgent(0);
        cluster.Start(1, 0);
        cluster.Run(Minute);
        Assert.Contains(cluster[1].Events, x => x is GossipEvent.JoinFailed);
        cluster.Start(0);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        Assert.Contains(cluster[1].Events, x => x is GossipEvent.Joined);
    }

    [Theory]
    [InlineData(0.01, 10)]
    [InlineData(0.03, 10)]
    [InlineData(0.05, 20)]
    public void Nobody_dies_of_packet_loss(double loss, int count)
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            GossipCluster cluster = GossipCluster.Of(count, seed);
            cluster.Loss = loss;
            cluster.Duplication = 0.02;
            cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree);
            cluster.Run(TimeSpan.FromMinutes(2));
            Assert.Equal(0, Changes(cluster, MemberState.Dead));
        }
    }

    [Fact]
    public void Loss_without_streams_is_survived_by_refutation()
    {
        GossipCluster cluster = GossipCluster.Of(10, seed: 5);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.StreamsWork = false;
        cluster.Loss = 0.2;
        cluster.Run(TimeSpan.FromMinutes(3));
        Assert.True(Changes(cluster, MemberState.Suspect) > 0);
        Assert.True(cluster.Live.Sum(n => n.Swim.Counters.Refutations) > 0);
        Assert.Equal(0, Changes(cluster, MemberState.Dead));
    }

    [Theory]
    [InlineData(3)]
    [InlineData(10)]
    [InlineData(20)]
    public void A_crashed_node_is_dead_everywhere(int count)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed: 7);
        cluster.Loss = 0.01;
        cluster.RunUntil(TimeSpan.FromSeconds(20), cluster.AllAgree);
        cluster.Crash(1);
        cluster.RunUntil(TimeSpan.FromSeconds(40), () => cluster.Live.All(
            n => n.Swim.Find(GossipCluster.NameOf(1))!.State == MemberState.Dead));
        Assert.True(cluster.AllAgree());
    }

    [Fact]
    public void A_leaving_node_has_left_everywhere_and_is_never_called_dead()
    {
        GossipCluster cluster = GossipCluster.Of(10, seed: 8);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Do(4, (s, now, e) => s.Leave(now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => cluster[4].Events.OfType<GossipEvent.Left>().Any());
        cluster.Crash(4);
        cluster.Run(Minute);
        Assert.All(cluster.Live, n => Assert.Equal(MemberState.Left, n.Swim.Find(GossipCluster.NameOf(4))!.State));
        Assert.Equal(0, Changes(cluster, MemberState.Dead));
    }

    [Fact]
    public void Leaving_alone_or_into_silence_ends_by_its_limit()
    {
        GossipCluster cluster = GossipCluster.Of(2, seed: 8);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Crash(0);
        cluster.Do(1, (s, now, e) => s.Leave(now, e));
        cluster.Run(SwimOptions.Lan.LeaveTimeout + TimeSpan.FromSeconds(1));
        Assert.Single(cluster[1].Events.OfType<GossipEvent.Left>());
        Assert.Equal(Primitives.Instant.Never, cluster[1].Swim.NextDeadline);
    }

    [Fact]
    public void A_restarted_node_is_alive_at_once_and_outlives_news_of_its_former_life()
    {
        GossipCluster cluster = GossipCluster.Of(6, seed: 9);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        for (int i = 0; i < 40; i++)
        {
            cluster.Do(2, (s, now, e) => s.SetMeta((byte[])[(byte)i]));
        }

        cluster.Run(TimeSpan.FromSeconds(2));
        cluster.Crash(2);
        cluster.Run(TimeSpan.FromMilliseconds(300));
        cluster.Start(2, 0);
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => cluster.AllAgree() && cluster.Live.All(
            n => n.Swim.Find("node-02")!.BootId == cluster[2].Swim.Find("node-02")!.BootId));
        Assert.True(cluster[2].Swim.Find(GossipCluster.NameOf(2))!.Incarnation > 40);
        cluster.Run(Minute);
        Assert.Equal(0, Changes(cluster, MemberState.Dead));
        Assert.All(cluster.Live, n => Assert.Equal([2], n.Swim.Find(GossipCluster.NameOf(2))!.Meta.ToArray()));
    }

    [Fact]
    public void A_node_restarted_after_its_death_comes_back()
    {
        GossipCluster cluster = GossipCluster.Of(6, seed: 10);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Crash(2);
        cluster.Run(TimeSpan.FromMinutes(5));
        Assert.Equal(MemberState.Dead, cluster[3].Swim.Find(GossipCluster.NameOf(2))!.State);
        cluster.Start(2, 5);
        cluster.RunUntil(TimeSpan.FromSeconds(2), cluster.AllAgree);
        cluster.Run(Minute);
        Assert.True(cluster.AllAgree());
    }

    [Theory]
    [InlineData(6, 20)]
    [InlineData(6, 600)]
    [InlineData(20, 3600)]
    public void A_partition_of_any_length_heals(int count, int seconds)
    {
        for (ulong seed = 1; seed <= 2; seed++)
        {
            GossipCluster cluster = GossipCluster.Of(count, seed);
            cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
            string border = GossipCluster.NameOf(count / 2);
            cluster.Reachable = (a, b) =>
                string.CompareOrdinal(a, border) < 0 == string.CompareOrdinal(b, border) < 0;
            cluster.Run(TimeSpan.FromSeconds(seconds));
            if (seconds > 60)
            {
                Assert.All(cluster.Live, n => Assert.Equal(
                    count / 2, n.Swim.Members.Count(m => m.State == MemberState.Dead)));
            }

            cluster.Reachable = (_, _) => true;
            cluster.RunUntil(TimeSpan.FromSeconds(40), cluster.AllAgree, "agreement after the partition");
        }
    }

    [Fact]
    public void A_node_without_udp_stays_alive_by_tcp_and_is_reported()
    {
        GossipCluster cluster = GossipCluster.Of(4, seed: 11);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Loss = 1;
        cluster.Run(Minute);
        Assert.All(cluster.Live, n => Assert.Contains(n.Events, x => x is GossipEvent.UdpUnreachable));
        Assert.True(cluster.AllAgree());
    }

    [Fact]
    public void Mass_restart_ends_in_agreement()
    {
        GossipCluster cluster = GossipCluster.Of(12, seed: 12);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Run(Minute);
        for (int i = 0; i < 12; i++)
        {
            cluster.Crash(i);
            cluster.Run(TimeSpan.FromMilliseconds(200));
            cluster.Start(i, (i + 1) % 12, (i + 5) % 12);
        }

        cluster.RunUntil(TimeSpan.FromSeconds(10), cluster.AllAgree);
        cluster.Run(Minute);
        Assert.True(cluster.AllAgree());
    }

    [Fact]
    public void Replayed_packets_change_nothing()
    {
        GossipCluster cluster = GossipCluster.Of(5, seed: 13);
        cluster.Recording = true;
        for (int i = 0; i < 5; i++)
        {
            cluster.Do(i, (s, now, e) => s.Subscribe("blue", now, e));
        }

        cluster.Put(0, "blue", "web", "10.0.0.2");
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        cluster.Do(0, (s, now, e) => s.Delete("blue", "web", now, e));
        cluster.Put(1, "blue", "web", "10.0.0.3");
        cluster.Crash(4);
        cluster.Run(Minute);
        cluster.Start(4, 0);
        cluster.Run(Minute);
        cluster.Recording = false;
        Assert.True(cluster.Recorded.Count > 500);
        string members = View(cluster);
        foreach ((System.Net.IPEndPoint from, byte[] payload) in cluster.Recorded)
        {
            for (int i = 0; i < 5; i++)
            {
                cluster.Inject(i, from, payload);
            }
        }

        Assert.Equal(members, View(cluster));
        cluster.Run(Minute);
        Assert.Equal(members, View(cluster));
    }

    [Fact]
    public void One_seed_gives_one_history()
    {
        Assert.Equal(History(21), History(21));
        Assert.NotEqual(History(21), History(22));

        static string History(ulong seed)
        {
            GossipCluster cluster = GossipCluster.Of(6, seed);
            cluster.Loss = 0.05;
            cluster.Run(TimeSpan.FromSeconds(20));
            cluster.Crash(3);
            cluster.Run(TimeSpan.FromSeconds(30));
            return $"{cluster.DatagramsDelivered} {string.Join(' ', cluster.Live.SelectMany(n => n.Events))}";
        }
    }

    [Fact]
    public void A_forgotten_node_is_gone_and_stays_away_until_it_is_a_new_one()
    {
        GossipCluster cluster = GossipCluster.Of(4, seed: 14);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        string name = GossipCluster.NameOf(3);
        foreach (int i in (int[])[0, 1, 2])
        {
            cluster.Do(i, (s, now, e) => s.Forget(name, now, e));
        }

        cluster.Run(Minute);
        Assert.All((int[])[0, 1, 2], i => Assert.Null(cluster[i].Swim.Find(name)));
        cluster.Crash(3);
        cluster.Start(3, 0);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
    }

    [Fact]
    public void Keys_are_rotated_without_a_lost_packet_and_a_stranger_gets_no_word_in()
    {
        byte[] old = GossipCluster.Keys.Keys[0];
        byte[] fresh = [.. Enumerable.Repeat((byte)7, 32)];
        GossipCluster cluster = GossipCluster.Of(4, seed: 16);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        foreach (Keyring step in (Keyring[])[new([old, fresh]), new([fresh, old]), new([fresh])])
        {
            for (int i = 0; i < 4; i++)
            {
                cluster[i].Swim.SetKeyring(step);
                cluster.Run(TimeSpan.FromSeconds(3));
            }
        }

        cluster.Run(Minute);
        Assert.True(cluster.AllAgree());
        Assert.All(cluster.Live, n => Assert.Equal(0, n.Swim.Counters.Rejected + n.Swim.Counters.ProbesFailed));
        cluster.Start(4, 0);
        cluster.Run(Minute);
        Assert.Contains(cluster[4].Events, x => x is GossipEvent.JoinFailed);
        Assert.Null(cluster[0].Swim.Find("node-04"));
        Assert.Single(cluster[4].Swim.Members);
    }

    [Fact]
    public void Garbage_is_counted_and_changes_nothing()
    {
        GossipCluster cluster = GossipCluster.Of(2, seed: 15);
        cluster.RunUntil(TimeSpan.FromSeconds(5), cluster.AllAgree);
        string members = View(cluster);
        var prng = new Primitives.Prng(4);
        for (int i = 0; i < 500; i++)
        {
            byte[] junk = new byte[prng.Next(1500)];
            prng.Fill(junk);
            cluster.Inject(0, cluster[1].Address, junk);
        }

        Assert.Equal(500, cluster[0].Swim.Counters.Rejected);
        Assert.Equal(members, View(cluster));
    }

    private static int Changes(GossipCluster cluster, MemberState to) => cluster.Live
        .SelectMany(n => n.Events).OfType<GossipEvent.MemberChanged>().Count(c => c.Member.State == to);

    private static string View(GossipCluster cluster) => string.Join('\n', cluster.Live.Select(View));

    private static string View(GossipCluster.Node node)
    {
        IEnumerable<string> members = node.Swim.Members.Select(m => $"{m.Name}:{m.State}:{m.Incarnation}:{m.BootId}");
        return $"{string.Join(' ', members)} | {node.Table("blue")}";
    }
}
