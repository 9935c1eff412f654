using Overlay.Gossip;
using Overlay.Gossip.Coordinates;

namespace Overlay.Tests.Gossip.Coordinates;

/// <summary>Coordinates in the running protocol.</summary>
public sealed class MeasuredClusterTests
{
    [Fact]
    public void Members_come_to_know_their_distance()
    {
        GossipCluster cluster = GossipCluster.Of(8, 21);
        cluster.MinLatency = TimeSpan.FromMilliseconds(5);
        cluster.MaxLatency = TimeSpan.FromMilliseconds(6);
        cluster.Run(TimeSpan.FromMinutes(4));
        Swim first = cluster[0].Swim;
        for (int i = 1; i < 8; i++)
        {
            // 10 to 12 ms there and back.
            Assert.InRange(first.EstimateRoundTrip(cluster[0].Name, cluster[i].Name)!.Value.TotalMilliseconds, 8, 14);
            Assert.InRange(first.EstimateRoundTrip(cluster[1].Name, cluster[i].Name)?.TotalMilliseconds ?? 0, 0, 16);
        }

        Assert.Null(first.EstimateRoundTrip("node-00", "nobody"));
    }

    [Fact]
    public void Relays_are_those_on_the_shortest_way()
    {
        MemberEntry At(string name, double x)
        {
            Position position = new();
            position.Set(new(Coordinate.At([x, 0, 0, 0, 0, 0, 0, 0])));
            return new(name, new(0, 1)) { Position = position };
        }

        Place own = new(Coordinate.Origin);
        MemberEntry target = At("target", 0.010);
        MemberEntry unknown = new("unknown", new(0, 1));
        List<MemberEntry> candidates = [unknown, At("far", 0.200), At("between", 0.005), At("beside", 0.011)];
        Assert.Equal(
            ["between", "beside"], Detours.Choose(candidates, target, own, 2).Select(m => m.Name));
        Assert.Equal(
            ["unknown", "far"], Detours.Choose(candidates, unknown, own, 2).Select(m => m.Name));
    }
}
