using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Attacks;

namespace Overlay.Tests.Gossip.Steadiness;

/// <summary>Members that the failure detector lets return for ever, and those that only look like them.</summary>
public sealed class UnsteadyMemberTests
{
    private const string Ill = "node-03";

    [Fact]
    public void One_that_loses_most_of_what_comes_in_is_out_of_view_once_until_it_hears_again()
    {
        GossipCluster cluster = Cluster(seed: 1);
        Prng prng = new(5);
        bool lossy = true;
        cluster.Reachable = (_, to) => to != Ill || !lossy || prng.Chance(0.2);
        cluster.Run(TimeSpan.FromSeconds(180));
        Assert.All(Healthy(cluster), static n => Assert.Equal(["lost"], Changes(n)));
        lossy = false;
        cluster.RunUntil(TimeSpan.FromSeconds(120), () => Healthy(cluster).All(static n => n.Swim.Find(Ill)!.Presence == Presence.Alive));
        Assert.All(Healthy(cluster), static n => Assert.Equal(["lost", "gained"], Changes(n)));
    }

    [Fact]
    public void One_that_hears_nothing_for_20_s_of_every_40_is_lost_once()
    {
        GossipCluster cluster = Cluster(seed: 2);
        Instant start = cluster.Now;
        cluster.Reachable = (_, to) => to != Ill || (int)((cluster.Now - start).TotalSeconds / 20) % 2 == 1;
        cluster.Run(TimeSpan.FromSeconds(200));
        Assert.All(Healthy(cluster), static n => Assert.Equal(["lost"], Changes(n)));
    }

    [Fact]
    public void One_that_was_cut_off_in_both_directions_is_back_at_once()
    {
        GossipCluster cluster = Cluster(seed: 3);
        cluster.Reachable = static (from, to) => from != Ill && to != Ill;
        cluster.Run(TimeSpan.FromSeconds(60));
        Assert.All(Healthy(cluster), static n => Assert.Equal(["lost"], Changes(n)));
        cluster.Reachable = static (_, _) => true;
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Healthy(cluster).All(static n => n.Swim.Find(Ill)!.Presence == Presence.Alive));
    }

    /// <summary>
    /// Late answers to a trial are answers, and so is a prompt one by stream, where only datagrams are kept out. Who is not
    /// heard at all any more may be cut off, and is not judged.
    /// </summary>
    [Theory]
    [InlineData(true, false, true, 0)]
    [InlineData(false, true, true, 0)]
    [InlineData(false, false, true, 1)]
    [InlineData(false, false, false, 0)]
    public void Who_answers_late_or_by_stream_passes_its_trial(bool answers, bool answersStreams, bool speaks, int alerts)
    {
        Target target = new(options: SwimOptions.Lan with { ProbeInterval = TimeSpan.FromSeconds(1), WatchEvery = 0 });
        target.Hear(Target.Alive("b", 2, 1), Target.Alive("c", 3, 1));
        target.Start();
        target.Hear(new GossipMessage.Suspect(1, "c", "b"), Target.Alive("c", 3, 2));
        List<(Instant At, uint Sequence)> late = [];
        Instant end = target.Now + TimeSpan.FromSeconds(12);
        while (target.Now < end)
        {
            target.Effects.Clear();
            target.Advance(TimeSpan.FromMilliseconds(50));
            foreach (GossipMessage.Ping ping in target.Sent<GossipMessage.Ping>())
            {
                // The other is prompt, and what is probed of this one too; only the trial's pings name their source.
                bool tries = ping is { Node: "c", Source: not null };
                late.Add((target.Now + TimeSpan.FromSeconds(tries ? 2.5 : 0), answers || !tries ? ping.SequenceNumber : 0));
            }

            foreach (StreamDial dial in answersStreams ? target.Effects.Dials.ToList() : [])
            {
                target.Swim.StreamCompleted(
                    dial.ExchangeId, StreamCodec.Encode(new GossipMessage.Ack(1, []), GossipCluster.Keys, new(1)), target.Now, target.Effects);
            }

            target.Now += TimeSpan.FromMilliseconds(1);
            if (speaks)
            {
                target.Hear(new GossipMessage.Ping(7, "me", null, "c"));
            }

            foreach ((Instant at, uint sequence) in late.ToList())
            {
                if (at <= target.Now)
                {
                    target.Hear(new GossipMessage.Ack(sequence, []));
                    late.Remove((at, sequence));
                }
            }
        }

        Assert.Equal(alerts, target.Swim.Counters.AlertsRaised);
    }

    [Fact]
    public void One_that_can_be_reached_again_is_back_before_its_quiet_time_is_over()
    {
        GossipCluster cluster = Cluster(seed: 4);
        Prng prng = new(6);
        bool lossy = true;
        cluster.Reachable = (_, to) => to != Ill || !lossy || prng.Chance(0.2);
        cluster.RunUntil(TimeSpan.FromSeconds(60), () => Healthy(cluster).All(static n => n.Swim.Find(Ill)!.Presence == Presence.HeldDown));
        lossy = false;
        cluster.RunUntil(TimeSpan.FromSeconds(25), () => Healthy(cluster).All(static n => n.Swim.Find(Ill)!.Presence == Presence.Alive));
        Assert.All(Healthy(cluster), static n => Assert.Equal(["lost", "gained"], Changes(n)));
        Assert.True(cluster.Live.Sum(static n => n.Swim.Counters.AlertsTakenBack) > 0);
    }

    [Fact]
    public void Who_is_told_of_an_accusation_it_objected_to_answers_the_accuser_alone()
    {
        Target target = new();
        target.Hear(Target.Alive("b", 66, 1));
        target.Start();
        target.Hear(new GossipMessage.Suspect(1, "me", "b"));
        target.Advance(TimeSpan.FromSeconds(5));
        target.Effects.Clear();
        target.Hear(new GossipMessage.Suspect(1, "me", "b"), new GossipMessage.Suspect(1, "me", "c"));
        Datagram answer = Assert.Single(target.Effects.Datagrams);
        Assert.Equal(Target.At(66), answer.To);
        Assert.Equal(2u, Assert.Single(target.Sent<GossipMessage.Alive>()).Incarnation);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_speaks_and_does_not_object_though_told_raises_an_alert(bool objects)
    {
        Target target = new(options: SwimOptions.Lan with { WatchEvery = 0 });
        target.Hear(Target.Alive("b", 2, 1), Target.Alive("c", 3, 1));
        target.Start();
        target.Hear(new GossipMessage.Dead(1, "c", "b"), new GossipMessage.Ping(9, "me", null, "c"));
        for (int i = 0; i < 50; i++)
        {
            Instant until = target.Now + TimeSpan.FromMilliseconds(100);
            target.Advance(TimeSpan.FromMilliseconds(100));
            target.Now = until;
            // Others are heard all the time.
            target.Hear(new GossipMessage.Ping((uint)i, "me", null, "b"));
            if (objects && i == 20)
            {
                target.Hear(Target.Alive("c", 3, 2));
            }

            foreach (GossipMessage.Ping ping in target.Sent<GossipMessage.Ping>().Where(static p => p.Node == "b").ToList())
            {
                target.Hear(new GossipMessage.Ack(ping.SequenceNumber, []));
            }

            target.Effects.Clear();
        }

        Assert.Equal(objects ? 0 : 1, target.Swim.Counters.AlertsRaised);
    }

    private static string[] Changes(GossipCluster.Node node) =>
    [
        .. node.Events.OfType<GossipEvent.ViewChanged>()
            .SelectMany(static v => v.Lost.Select(static n => (n, "lost")).Concat(v.Gained.Select(static n => (n, "gained"))))
            .Select(static x => x.n == Ill ? x.Item2 : $"{x.n} {x.Item2}"),
    ];

    private static IEnumerable<GossipCluster.Node> Healthy(GossipCluster cluster) => cluster.Live.Where(static n => n.Name != Ill);

    private static GossipCluster Cluster(ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(20, seed, SwimOptions.Lan with { AgentDownHold = TimeSpan.Zero });
        cluster.RunUntil(TimeSpan.FromSeconds(60), cluster.AllAgree);
        cluster.Run(TimeSpan.FromSeconds(2));
        foreach (GossipCluster.Node node in cluster.Live)
        {
            node.Events.Clear();
        }

        return cluster;
    }
}
