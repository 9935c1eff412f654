namespace Overlay.Tests.Gossip;

public sealed class ProbeTimesTests
{
    [Fact]
    public void A_probe_that_is_answered_tells_its_round_trip()
    {
        GossipCluster cluster = GossipCluster.Of(3, seed: 1);
        cluster.MinLatency = TimeSpan.FromMilliseconds(3);
        cluster.MaxLatency = TimeSpan.FromMilliseconds(4);
        cluster.Run(TimeSpan.FromSeconds(20));
        foreach (GossipCluster.Node node in cluster.Live)
        {
            Assert.InRange(node.ProbeTimes.Count, 10, node.Swim.Counters.ProbesSent);
            Assert.All(node.ProbeTimes, static time => Assert.InRange(time.TotalMilliseconds, 6, 8.1));
        }
    }

    [Fact]
    public void An_answer_by_relays_or_by_a_stream_is_no_round_trip()
    {
        GossipCluster cluster = GossipCluster.Of(3, seed: 2);
        cluster.Run(TimeSpan.FromSeconds(5));
        // Packets between the first two pass in neither direction; the third relays.
        cluster.Reachable = static (from, to) => !(from + to).Contains("node-00", StringComparison.Ordinal)
            || !(from + to).Contains("node-01", StringComparison.Ordinal);
        cluster.Run(TimeSpan.FromSeconds(2));
        foreach (GossipCluster.Node node in cluster.Live)
        {
            node.ProbeTimes.Clear();
        }

        cluster.Run(TimeSpan.FromSeconds(20));
        Assert.All(
            cluster.Live.SelectMany(static n => n.ProbeTimes), static time => Assert.InRange(time.TotalMilliseconds, 0, 4.1));
        Assert.True(cluster[0].ProbeTimes.Count < cluster[2].ProbeTimes.Count);
    }

    [Fact]
    public void News_wait_in_the_queue_until_they_were_told_often_enough()
    {
        GossipCluster cluster = GossipCluster.Of(4, seed: 3);
        Assert.True(cluster[0].Swim.QueuedRumours > 0);
        cluster.Run(TimeSpan.FromSeconds(10));
        Assert.Equal(0, cluster[0].Swim.QueuedRumours);
    }
}
