using Grpc.Core;
using Overlay.Cluster;
using Overlay.Tests.Cluster;

namespace Overlay.Tests.Daemon.Manager.Replication;

/// <summary>Three managers by real TLS and with real files.</summary>
public sealed class ReplicationTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_was_acknowledged_outlives_its_leader_and_the_next_change_is_made()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        List<string> acknowledged = [];
        for (int round = 0; round < 2; round++)
        {
            string[] names = [.. Enumerable.Range(0, 10).Select(i => $"net{round}-{i}")];
            await Task.WhenAll(names.Select(rig.CreateAsync));
            acknowledged.AddRange(names);
            ManagerHost leader = await rig.LeaderAsync();
            await leader.DisposeAsync();
            await rig.CreateAsync($"after{round}");
            acknowledged.Add($"after{round}");
            await leader.StartAsync();
            await ManagersRig.HoldsAsync(leader, $"after{round}");
        }

        foreach (ManagerHost host in rig.Hosts)
        {
            await ManagersRig.HoldsAsync(host, "after1");
            Assert.Equal(acknowledged.Order(StringComparer.Ordinal), host.Loop.State.Networks.Select(static n => n.Name).Order(StringComparer.Ordinal));
            World.Check(host.Loop.State);
        }

        ulong[] prints = await Task.WhenAll(rig.Hosts.Select(static h => h.Loop.QueryAsync(static s => s.Hash, Cancelled)));
        Assert.Single(prints.Distinct());
    }

    [Fact]
    public async Task A_follower_whose_log_ends_before_the_others_begin_takes_a_snapshot()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3, snapshotEvery: 8);
        await rig.CreateAsync("first");
        ManagerHost leader = await rig.LeaderAsync();
        ManagerHost follower = rig.Hosts.First(h => h != leader);
        await follower.DisposeAsync();
        for (int i = 0; i < 40; i++)
        {
            await rig.CreateAsync($"net{i}");
        }

        leader = await rig.LeaderAsync();
        await leader.Loop.Engine.IdleAsync();
        await follower.StartAsync();
        await ManagersRig.HoldsAsync(follower, "net39");
        Assert.Contains(rig.Logs.Lines, static l => l.Text.Contains("The store was taken from another manager", StringComparison.Ordinal));
        Assert.Equal(41, follower.Loop.State.NetworkCount);

        // It goes on from there, also after another start.
        await rig.CreateAsync("last");
        await ManagersRig.HoldsAsync(follower, "last");
        await follower.DisposeAsync();
        await follower.StartAsync();
        await ManagersRig.HoldsAsync(follower, "last");
        World.Check(follower.Loop.State);
    }

    [Fact]
    public async Task A_read_on_any_manager_sees_what_was_acknowledged_before()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        for (int i = 0; i < 10; i++)
        {
            await rig.CreateAsync($"net{i}");
            foreach (ManagerHost host in rig.Hosts)
            {
                ClusterState seen = await host.Loop.ReadAsync(Cancelled);
                Assert.NotNull(seen.NetworkNamed($"net{i}"));
            }
        }
    }

    [Fact]
    public async Task A_manager_that_does_not_lead_says_who_does()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        await rig.CreateAsync("blue");
        ManagerHost leader = await rig.LeaderAsync();
        ManagerHost follower = rig.Hosts.First(h => h != leader);
        await ManagersRig.HoldsAsync(follower, "blue");
        Outcome<V1.NetworkObject> refused = await follower.Loop.ProposeAsync(
            static intent => intent.CreateNetwork(ManagerRig.Spec(5000, "red")), "", Cancelled);
        World.Refused(refused, RefusalKind.Unavailable, "This manager does not lead", leader.Peer.Address);
    }

    [Fact]
    public async Task A_leader_that_stops_in_order_hands_over_first()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        await rig.CreateAsync("blue");
        ManagerHost leader = await rig.LeaderAsync();
        await leader.Loop.Engine.HandOverAsync(Cancelled);
        Assert.False(leader.Loop.Engine.View.IsLeader);
        await rig.CreateAsync("red");
    }

    [Fact]
    public async Task Without_a_majority_changes_and_reads_are_refused_with_the_numbers()
    {
        await using ManagersRig rig = await ManagersRig.StartAsync(3);
        await rig.CreateAsync("blue");
        ManagerHost leader = await rig.LeaderAsync();
        foreach (ManagerHost other in rig.Hosts.Where(h => h != leader))
        {
            await other.DisposeAsync();
        }

        while (!leader.Loop.Engine.Quorum.IsLost)
        {
            await Task.Delay(5, Cancelled);
        }

        // Already while it still leads, it begins nothing whose outcome nobody could tell.
        Outcome<V1.NetworkObject> early = await leader.Loop.ProposeAsync(
            static intent => intent.CreateNetwork(ManagerRig.Spec(5000, "red")), "", Cancelled);
        World.Refused(early, RefusalKind.NoQuorum, "1 of 3 managers reachable, 2 needed.");
        while (leader.Loop.Engine.View.IsLeader)
        {
            await Task.Delay(5, Cancelled);
        }

        Outcome<V1.NetworkObject> refused = await leader.Loop.ProposeAsync(
            static intent => intent.CreateNetwork(ManagerRig.Spec(5000, "red")), "", Cancelled);
        World.Refused(refused, RefusalKind.NoQuorum, "1 of 3 managers reachable, 2 needed.");
        await Assert.ThrowsAsync<RpcException>(() => leader.Loop.ReadAsync(Cancelled));
        Assert.NotNull(leader.Loop.State.NetworkNamed("blue"));
    }
}
