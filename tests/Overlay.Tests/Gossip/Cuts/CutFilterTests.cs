using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Cuts;

/// <summary>What is lost together is one change, and who flaps is held down.</summary>
public sealed class CutFilterTests
{
    [Fact]
    public void Ten_hosts_lost_together_are_one_cut_for_everyone()
    {
        for (ulong seed = 1; seed <= 3; seed++)
        {
            GossipCluster cluster = Cluster(40, seed);
            SortedSet<string> lost = new(Enumerable.Range(20, 10).Select(GossipCluster.NameOf), StringComparer.Ordinal);
            foreach (GossipCluster.Node node in cluster.Live)
            {
                node.Events.Clear();
            }

            for (int i = 20; i < 30; i++)
            {
                cluster.Crash(i);
            }

            foreach (string name in lost)
            {
                cluster.Do(0, (s, now, e) => s.Hint(name, now, e));
            }

            cluster.RunUntil(TimeSpan.FromSeconds(4), () => cluster.Live.All(
                n => n.Swim.Members.Count(m => m.Presence == Presence.Dead) == 10));
            foreach (GossipCluster.Node node in cluster.Live)
            {
                GossipEvent.ViewChanged view = Assert.Single(node.Events.OfType<GossipEvent.ViewChanged>());
                Assert.Equal(lost, view.Lost.Order(StringComparer.Ordinal));
                Assert.Empty(view.Gained);
                // All entries of the ten go in the same step as the view changes.
                int at = node.Events.IndexOf(view);
                Assert.Equal(10, node.Events.OfType<GossipEvent.EntryChanged>().Count(c => c.Value is null));
                Assert.All(
                    node.Events.Select((e, i) => (e, i)).Where(x => x.e is GossipEvent.EntryChanged { Value: null }),
                    x => Assert.InRange(at - x.i, 1, 40));
            }
        }
    }

    [Fact]
    public void Without_any_hint_ten_lost_hosts_are_a_few_cuts_at_most()
    {
        GossipCluster cluster = Cluster(40, seed: 4);
        foreach (GossipCluster.Node node in cluster.Live)
        {
            node.Events.Clear();
        }

        for (int i = 20; i < 30; i++)
        {
            cluster.Crash(i);
        }

        cluster.RunUntil(TimeSpan.FromSeconds(60), () => cluster.Live.All(
            n => n.Swim.Members.Count(m => m.Presence == Presence.Dead) == 10));
        Assert.All(cluster.Live, n => Assert.InRange(n.Events.OfType<GossipEvent.ViewChanged>().Count(), 1, 5));
    }

    [Fact]
    public void Who_objects_before_the_cut_is_released_was_never_lost()
    {
        GossipCluster cluster = Cluster(3, seed: 5);
        Member member = cluster[0].Swim.Find("node-01")!;
        cluster[0].Events.Clear();
        cluster.Do(0, (s, now, e) => s.Receive(cluster[2].Address, Verdicts.Rig.Seal(
            new GossipMessage.Dead(member.Incarnation, "node-01", "node-02") { Witnesses = 2 }), now, e));
        Assert.Equal((MemberState.Dead, Presence.Suspect), (State(cluster), cluster[0].Swim.Find("node-01")!.Presence));
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => State(cluster) == MemberState.Alive);
        cluster.Run(TimeSpan.FromSeconds(2));
        Assert.DoesNotContain(cluster[0].Events, e => e is GossipEvent.ViewChanged or GossipEvent.EntryChanged { Value: null });

        static MemberState State(GossipCluster cluster) => cluster[0].Swim.Find("node-01")!.State;
    }

    [Fact]
    public void Who_comes_and_goes_is_held_down_ever_longer_and_forgiven_when_steady()
    {
        GossipCluster cluster = Cluster(5, seed: 6);
        List<double> held = [];
        for (int round = 0; round < 4; round++)
        {
            cluster.Reachable = (a, b) => a != "node-01" && b != "node-01";
            cluster.Do(0, (s, now, e) => s.Hint("node-01", now, e));
            cluster.RunUntil(TimeSpan.FromSeconds(30), () => Seen(cluster) == Presence.Dead, "lost");
            cluster.Reachable = (_, _) => true;
            cluster.RunUntil(TimeSpan.FromSeconds(5), () => cluster[0].Swim.Find("node-01")!.IsLive, "live");
            Assert.Equal(round == 0 ? Presence.Alive : Presence.HeldDown, Seen(cluster));
            Assert.Equal(round == 0, cluster[0].Table("blue").Contains("node-01", StringComparison.Ordinal));
            Instant back = cluster.Now;
            cluster.RunUntil(TimeSpan.FromMinutes(12), () => Seen(cluster) == Presence.Alive, "alive");
            Assert.Contains("node-01", cluster[0].Table("blue"), StringComparison.Ordinal);
            held.Add((cluster.Now - back).TotalSeconds);
            cluster.Run(TimeSpan.FromSeconds(20));
        }

        Assert.Equal([0, 30, 60, 120], held.Select(h => Math.Round(h / 10) * 10));
        cluster.Run(SwimOptions.Lan.FlapWindow);
        cluster.Reachable = (a, b) => a != "node-01" && b != "node-01";
        cluster.Do(0, (s, now, e) => s.Hint("node-01", now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(30), () => Seen(cluster) == Presence.Dead);
        cluster.Reachable = (_, _) => true;
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Seen(cluster) == Presence.Alive);
    }

    [Fact]
    public void One_that_is_lost_while_it_is_held_down_changes_nothing_for_those_above()
    {
        GossipCluster cluster = Cluster(5, seed: 7);
        for (int round = 0; round < 5; round++)
        {
            cluster.Reachable = (a, b) => a != "node-01" && b != "node-01";
            cluster.Run(TimeSpan.FromSeconds(20));
            cluster.Reachable = (_, _) => true;
            cluster.Run(TimeSpan.FromSeconds(20));
        }

        // 20 s off, 20 s on, five times: lost, back, lost, and then nothing more.
        string[] changes = [.. cluster[0].Events.OfType<GossipEvent.ViewChanged>()
            .Where(v => v.Lost.Concat(v.Gained).Contains("node-01")).Select(v => v.Lost.Count > 0 ? "lost" : "gained")];
        Assert.Equal(["gained", "lost", "gained", "lost"], changes);
        Assert.True(cluster[0].Swim.Find("node-01")!.Flaps >= 3);
    }

    private static Presence Seen(GossipCluster cluster) => cluster[0].Swim.Find("node-01")!.Presence;

    private static GossipCluster Cluster(int count, ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed);
        cluster.RunUntil(TimeSpan.FromSeconds(60), cluster.AllAgree);
        for (int i = 0; i < count; i++)
        {
            cluster.Do(i, (s, now, e) => s.Subscribe("blue", now, e));
            cluster.Put(i, "blue", "web", $"10.0.0.{i}");
        }

        cluster.RunUntil(TimeSpan.FromSeconds(30), () => cluster.Live.All(n => n.Swim.Entries("blue").Count() == count));
        return cluster;
    }
}
