using Grpc.Core;
using Grpc.Net.Client;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.Tests.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>Watching the store from a version, over the wire.</summary>
public sealed class WatchTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static Task<Outcome<NetworkObject>> CreateAsync(ManagerLoop loop, ulong id) =>
        loop.ProposeAsync(intent => intent.CreateNetwork(ManagerRig.Spec(id, $"net{id}")), "", Cancelled);

    private static string NameIn(WatchResponse change) =>
        change.Actions.Select(static a => a.Create?.Network?.Name).OfType<string>().Single();

    [Fact]
    public async Task From_a_version_every_change_comes_once_and_in_order_and_then_those_that_follow()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        Control.ControlClient control = new(channel);
        for (ulong id = 1; id <= 5; id++)
        {
            Assert.False((await CreateAsync(cluster.Loop, id)).IsRefused);
        }

        using AsyncServerStreamingCall<WatchResponse> watch = control.Watch(new() { FromVersion = 4 }, cancellationToken: Cancelled);
        for (ulong id = 3; id <= 8; id++)
        {
            if (id > 5)
            {
                Assert.False((await CreateAsync(cluster.Loop, id)).IsRefused);
            }

            Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
            Assert.Equal((id + 2, $"net{id}"), (watch.ResponseStream.Current.Version, NameIn(watch.ResponseStream.Current)));
        }
    }

    [Fact]
    public async Task From_zero_the_whole_state_comes_first_and_no_secret_with_it()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        Assert.False((await CreateAsync(cluster.Loop, 1)).IsRefused);
        using AsyncServerStreamingCall<WatchResponse> watch = new Control.ControlClient(channel).Watch(new(), cancellationToken: Cancelled);
        Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
        WatchResponse whole = watch.ResponseStream.Current;
        Assert.Equal(3ul, whole.Version);
        Assert.Equal("net1", NameIn(whole));
        ClusterObject told = whole.Actions.Select(static a => a.Create?.Cluster).OfType<ClusterObject>().Single();
        Assert.True(told.CaKey.IsEmpty && told.WorkerSecret.IsEmpty && told.ManagerSecret.IsEmpty && told.GossipKeys.Count == 0);
        Assert.False((await CreateAsync(cluster.Loop, 2)).IsRefused);
        Assert.True(await watch.ResponseStream.MoveNext(Cancelled));
        Assert.Equal("net2", NameIn(watch.ResponseStream.Current));
    }

    [Fact]
    public async Task A_version_that_is_not_of_the_past_is_refused_at_once()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        using GrpcChannel channel = cluster.Call(cluster.Manager);
        using AsyncServerStreamingCall<WatchResponse> watch = new Control.ControlClient(channel).Watch(
            new() { FromVersion = 99 }, cancellationToken: Cancelled);
        RpcException refused = await Assert.ThrowsAsync<RpcException>(() => watch.ResponseStream.MoveNext(Cancelled));
        Assert.Equal(StatusCode.OutOfRange, refused.StatusCode);
        Assert.Contains("Watch from version 0", refused.Status.Detail, StringComparison.Ordinal);
    }
}
