using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip;

/// <summary>Who joins a large cluster exchanges everything with a few, not with all.</summary>
public sealed class SeekTests
{
    [Fact]
    public void One_answer_of_many_is_enough()
    {
        GossipCluster cluster = GossipCluster.Of(40, seed: 1);
        cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree);
        cluster.Start(40);
        cluster.Do(40, (s, now, e) => s.Seek([.. Enumerable.Range(0, 40).Select(i => cluster[i].Address)], now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(2), cluster.AllAgree);
        cluster.Run(TimeSpan.FromSeconds(1));
        Assert.InRange(cluster[40].Swim.Counters.PushPulls, 1, 3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Where_most_are_gone_the_living_are_found(bool hostsAnswer)
    {
        GossipCluster cluster = GossipCluster.Of(34, seed: 2);
        cluster.RunUntil(TimeSpan.FromSeconds(30), cluster.AllAgree);
        for (int i = 4; i < 34; i++)
        {
            cluster.Crash(i);
            cluster[i].KernelUp = hostsAnswer;
        }

        cluster.Start(34);
        cluster.Do(34, (s, now, e) => s.Seek([.. Enumerable.Range(0, 34).Select(i => cluster[i].Address)], now, e));
        cluster.RunUntil(TimeSpan.FromSeconds(4), () => cluster[34].Swim.Find(GossipCluster.NameOf(0)) is { State: MemberState.Alive });
    }

    [Fact]
    public void All_who_start_at_once_find_each_other()
    {
        for (ulong seed = 1; seed <= 10; seed++)
        {
            GossipCluster cluster = new(seed);
            for (int i = 0; i < 30; i++)
            {
                cluster.Start(i);
            }

            for (int i = 0; i < 30; i++)
            {
                cluster.Do(i, (s, now, e) => s.Seek([.. Enumerable.Range(0, 30).Select(i => cluster[i].Address)], now, e));
            }

            cluster.RunUntil(TimeSpan.FromSeconds(10), cluster.AllAgree);
        }
    }
}
