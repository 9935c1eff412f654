using Overlay.Gossip.Tables;

namespace Overlay.Tests.Gossip.Tables;

/// <summary>An owner knows how far the others have got with what it wrote.</summary>
public sealed class AcknowledgementTests
{
    [Fact]
    public void A_moment_after_a_write_all_holders_have_acknowledged_it_and_then_nobody_is_asked()
    {
        GossipCluster cluster = Cluster(5, seed: 1);
        cluster.Put(0, "blue", "a", "1");
        cluster.Put(0, "blue", "b", "2");
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => Of(cluster).Count == 4 && Of(cluster).All(static l => l.Entries == 0));
        Assert.All(Of(cluster), l => Assert.Equal((l.Head, TimeSpan.Zero), (l.Acknowledged, l.Lag)));
        Assert.Equal(cluster[0].Swim.Summarize("blue")!.Owners.Single(o => o.Owner == "node-00").Version, Of(cluster)[0].Head);
        Assert.Empty(cluster[4].Swim.LagOf("green", cluster.Now));
    }

    [Fact]
    public void Who_cannot_be_reached_lags_by_name_with_writes_and_seconds_until_it_has_them()
    {
        GossipCluster cluster = Cluster(4, seed: 2);
        cluster.Put(0, "blue", "a", "1");
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => Of(cluster).All(static l => l.Entries == 0));
        cluster.Loss = 0;
        cluster.Reachable = (a, b) => a != "node-02" && b != "node-02";
        for (int i = 0; i < 3; i++)
        {
            cluster.Put(0, "blue", $"k{i}", "v");
        }

        cluster.Run(TimeSpan.FromSeconds(2.5));
        PeerLag lag = Of(cluster).Single(static l => l.Peer == "node-02");
        Assert.Equal(3UL, lag.Entries);
        Assert.Equal(2.5, lag.Lag.TotalSeconds, 3);
        Assert.All(Of(cluster).Where(static l => l.Peer != "node-02"), static l => Assert.Equal(0UL, l.Entries));
        cluster.Reachable = (_, _) => true;
        cluster.RunUntil(TimeSpan.FromSeconds(12), () => Of(cluster) is { Count: 3 } all && all.All(static l => l.Entries == 0));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Who_comes_back_lags_since_its_return_and_is_asked_again(bool hostAnswers)
    {
        GossipCluster cluster = Cluster(4, seed: 5);
        cluster.Loss = 0;
        cluster.Put(0, "blue", "a", "1");
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => Of(cluster).All(static l => l.Entries == 0));
        // A hang: its kernel refuses connections, or does nothing, and it goes on with what it had.
        cluster.KillAgent(2);
        cluster[2].KernelUp = hostAnswers;
        cluster.Put(0, "blue", "b", "2");
        cluster.RunUntil(TimeSpan.FromSeconds(30), () => Of(cluster).Count == 2);
        cluster.Run(TimeSpan.FromSeconds(60));
        Assert.All(Of(cluster), static l => Assert.Equal(0UL, l.Entries));

        cluster.Resume(2);
        cluster.RunUntil(TimeSpan.FromSeconds(60), () => Of(cluster).Count == 3);
        PeerLag lag = Of(cluster).Single(static l => l.Peer == "node-02");
        Assert.NotEqual(0UL, lag.Entries);
        Assert.Equal(0, lag.Lag.TotalSeconds, 0.05);
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Of(cluster) is { Count: 3 } all && all.All(static l => l.Entries == 0));
    }

    [Fact]
    public void Who_attaches_late_lags_since_it_attached()
    {
        GossipCluster cluster = Cluster(4, seed: 6);
        cluster.Loss = 0;
        cluster.Do(3, (s, now, e) => s.Unsubscribe("blue", now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Of(cluster).Count == 2);
        cluster.Put(0, "blue", "a", "1");
        cluster.Run(TimeSpan.FromSeconds(30));
        cluster.Do(3, (s, now, e) => s.Subscribe("blue", now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Of(cluster).Count == 3);
        Assert.All(Of(cluster), static l => Assert.Equal(0, l.Lag.TotalSeconds, 0.05));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Of(cluster) is { Count: 3 } all && all.All(static l => l.Entries == 0));
    }

    [Fact]
    public void With_loss_everything_is_acknowledged_in_the_end()
    {
        GossipCluster cluster = Cluster(12, seed: 3);
        cluster.Loss = 0.3;
        for (int i = 0; i < 50; i++)
        {
            cluster.Put(0, "blue", $"k{i % 7}", $"{i}");
            cluster.Run(TimeSpan.FromMilliseconds(50));
        }

        cluster.RunUntil(TimeSpan.FromSeconds(60), () => Of(cluster) is { Count: 11 } all && all.All(static l => l.Entries == 0));
    }

    [Fact]
    public void A_life_that_is_over_acknowledges_nothing_for_the_next()
    {
        GossipCluster cluster = Cluster(3, seed: 4);
        cluster.Put(0, "blue", "a", "1");
        cluster.RunUntil(TimeSpan.FromSeconds(2), () => Of(cluster).All(static l => l.Entries == 0));
        cluster.KillAgent(0);
        cluster.Start(0, 1);
        cluster.Do(0, (s, now, e) => s.Subscribe("blue", now, e));
        cluster.Put(0, "blue", "a", "2");
        Assert.All(Of(cluster), static l => Assert.Equal(0UL, l.Acknowledged));
        cluster.RunUntil(TimeSpan.FromSeconds(5), () => Of(cluster) is { Count: 2 } all && all.All(static l => l.Entries == 0));
    }

    private static IReadOnlyList<PeerLag> Of(GossipCluster cluster) => cluster[0].Swim.LagOf("blue", cluster.Now);

    private static GossipCluster Cluster(int count, ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed);
        cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree);
        for (int i = 0; i < count; i++)
        {
            cluster.Do(i, (s, now, e) => s.Subscribe("blue", now, e));
        }

        cluster.Run(TimeSpan.FromSeconds(3));
        return cluster;
    }
}
