using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>The new root comes into force by itself, whatever keeps the store from writing it at first.</summary>
public sealed class CaKeeperTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_full_disk_delays_the_end_and_stops_nobody()
    {
        using ManagerRig rig = new();
        await BeginAsync(rig);
        rig.Folder.FreeBytes = 3 << 20;
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = KeeperOf(rig).RunAsync(stop.Token);
        while (!rig.Logs.Warnings.Any(static l => l.Contains("could not be put in force yet", StringComparison.Ordinal))
            && !running.IsCompleted)
        {
            await rig.Time.PassToNextTimerAsync(Cancelled);
        }

        Assert.False(running.IsCompleted);
        Assert.NotNull(rig.Loop.State.Cluster!.CaRotation);

        rig.Folder.FreeBytes = int.MaxValue;
        while (rig.Loop.State.Cluster!.CaRotation is not null && !running.IsCompleted)
        {
            await rig.Time.PassToNextTimerAsync(Cancelled);
            await rig.SettleAsync();
        }

        Assert.Equal(ByteString.CopyFromUtf8("next"), rig.Loop.State.Cluster!.CaCertificate);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    [Fact]
    public async Task The_end_of_the_store_is_told_by_the_store()
    {
        using ManagerRig rig = new();
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = KeeperOf(rig).RunAsync(stop.Token);
        Task waiting = rig.Loop.WaitForChangeAsync(rig.Loop.State.Version, Cancelled);
        rig.Loop.Dispose();
        await Assert.ThrowsAsync<RpcException>(() => waiting);

        // It has heard the same by now or hears it soon, and does not fail by it: that would hide why the store ended.
        for (int i = 0; i < 100 && !running.IsCompleted; i++)
        {
            await Task.Delay(1, Cancelled);
        }

        Assert.False(running.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    private static CaKeeper KeeperOf(ManagerRig rig) => new(rig.Loop, rig.Time, rig.Logs.Factory.CreateLogger<CaKeeper>());

    private static async Task BeginAsync(ManagerRig rig)
    {
        byte[] next = [.. "next"u8];
        Outcome<ClusterObject> begun = await rig.Loop.ProposeAsync(
            intent => intent.BeginCaRotation(next, [1], [2]), "", Cancelled);
        Assert.False(begun.IsRefused, begun.Refusal?.ToString());
        foreach (NodeObject node in rig.Loop.State.Nodes.ToList())
        {
            NodeObject told = node.Clone();
            told.RootDigest = ByteString.CopyFrom(System.Security.Cryptography.SHA256.HashData(next));
            Outcome<NodeObject> updated = await rig.Loop.ProposeAsync(intent => intent.UpdateNode(told), "", Cancelled);
            Assert.False(updated.IsRefused, updated.Refusal?.ToString());
        }
    }
}
