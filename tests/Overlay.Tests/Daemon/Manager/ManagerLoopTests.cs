using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Tests.Cluster;
using Overlay.Tests.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

public sealed class ManagerLoopTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    private static void FailSyncs(ModelFolder folder) => folder.Before = static operation =>
    {
        if (operation is DiskOperation.SyncFile)
        {
            throw new IOException("Input/output error : '/model/log/x'");
        }
    };

    [Fact]
    public async Task Nothing_is_answered_or_shown_before_it_is_durable()
    {
        using ManagerRig rig = new();
        Task<Outcome<NetworkObject>>? creating = null;
        Task<ClusterState> changed = rig.Loop.WaitForChangeAsync(1, Cancelled);
        List<(ulong Version, bool Told)> seen = [];
        Action go = await rig.HoldAsync();
        creating = rig.CreateAsync("blue");
        rig.Folder.Before = operation =>
        {
            if (operation is DiskOperation.SyncFile)
            {
                seen.Add((rig.Loop.State.Version, creating.IsCompleted || changed.IsCompleted));
            }
        };
        go();
        Outcome<NetworkObject> created = await creating;
        Assert.Equal("blue", created.Value.Name);
        Assert.NotNull((await changed).NetworkNamed("blue"));
        Assert.Equal([(1ul, false)], seen);
    }

    [Fact]
    public async Task After_a_quiet_second_the_last_identifiers_are_durable_too()
    {
        using ManagerRig rig = new();
        await rig.CreateAsync("blue");
        await rig.SettleAsync();
        Assert.IsType<DiskOperation.Write>(rig.Folder.Journal[^1]);
        // The first timer may have begun before the last write.
        for (int passed = 0; passed < 2 && rig.Folder.Journal[^1] is not DiskOperation.SyncFile; passed++)
        {
            await rig.Time.PassToNextTimerAsync(Cancelled);
            await rig.SettleAsync();
        }

        Assert.IsType<DiskOperation.SyncFile>(rig.Folder.Journal[^1]);

        // Now even the power failure that follows leaves no room for doubt.
        CrashModel disk = new([], new(4));
        rig.Folder.Journal.ForEach(disk.Apply);
        SortedDictionary<string, ReadOnlyMemory<byte>> image = disk.AfterPowerFailure();
        string name = Assert.Single(image.Keys, static n => n.EndsWith(".segment", StringComparison.Ordinal));
        byte[] bytes = image[name].ToArray();
        bytes[^9] ^= 1;
        image[name] = bytes;
        Assert.Throws<StorageCorruptException>(() => LogStore.Open(new ModelFolder(image), new(), out _));
    }

    [Fact]
    public async Task Those_who_wait_together_share_a_sync_and_each_sees_the_one_before()
    {
        using ManagerRig rig = new();
        Action go = await rig.HoldAsync();
        Task<Outcome<NetworkObject>>[] creating = [.. Enumerable.Range(0, 20).Select(i => rig.CreateAsync($"net{i % 10}"))];
        int before = rig.Folder.Journal.Count;
        go();
        Outcome<NetworkObject>[] outcomes = await Task.WhenAll(creating);
        Assert.Equal(10, outcomes.Count(static o => !o.IsRefused));
        Assert.All(outcomes.Where(static o => o.IsRefused), static o => Assert.Equal(RefusalKind.Conflict, o.Refusal!.Kind));
        Assert.Single(rig.Folder.Journal.Skip(before).OfType<DiskOperation.SyncFile>());
        World.Check(rig.Loop.State);
    }

    [Fact]
    public async Task A_request_is_applied_once_however_often_it_comes()
    {
        using ManagerRig rig = new(snapshotEvery: 3);
        Action go = await rig.HoldAsync();
        Task<Outcome<NetworkObject>>[] together = [rig.CreateAsync("blue", "r1"), rig.CreateAsync("blue", "r1")];
        go();
        Outcome<NetworkObject>[] outcomes = await Task.WhenAll(together);
        string id = outcomes[0].Value.Id;
        Assert.Equal(id, outcomes[1].Value.Id);
        Assert.Equal(id, (await rig.CreateAsync("blue", "r1")).Value.Id);
        // The first entry made the cluster, and each start begins with an entry of its own.
        Assert.Equal(3ul, rig.Loop.State.Version);

        rig.Restart();
        Assert.Equal(id, (await rig.CreateAsync("blue", "r1")).Value.Id);
        await rig.CreateAsync("red", "r2");
        await rig.CreateAsync("green", "r3");
        await rig.SettleAsync();
        Assert.Contains(rig.Folder.Names(), static n => n.EndsWith(".snapshot", StringComparison.Ordinal));
        rig.Restart();
        Assert.Equal(id, (await rig.CreateAsync("blue", "r1")).Value.Id);
        Assert.Equal(6ul, rig.Loop.State.Version);
        Assert.Equal(3, rig.Loop.State.NetworkCount);
    }

    [Fact]
    public async Task A_known_request_whose_object_is_gone_is_refused_and_makes_nothing()
    {
        using ManagerRig rig = new();
        await rig.CreateAsync("blue", "r1");
        await rig.RemoveAsync("blue");
        Refusal refusal = World.Refused(await rig.CreateAsync("blue", "r1"), RefusalKind.Conflict, "version 3", "'r1'");
        rig.Restart();
        Assert.Equal(refusal, World.Refused(await rig.CreateAsync("blue", "r1"), RefusalKind.Conflict));
        Assert.Equal(0, rig.Loop.State.NetworkCount);
        Assert.Equal(4ul, rig.Loop.State.Version);
        Assert.False((await rig.CreateAsync("blue", "r2")).IsRefused);
    }

    [Fact]
    public async Task A_known_request_whose_address_was_given_back_is_refused()
    {
        using ManagerRig rig = new();
        NetworkObject network = (await rig.CreateAsync("blue")).Value;
        string node = World.NodeIdOf(1);
        string address = network.Segments[0].Ipv4.Subnet.Replace("0/24", "200", StringComparison.Ordinal);
        Task<Outcome<ReservationObject>> Reserve() => rig.Loop.ProposeAsync(
            intent => intent.ReserveAddress(network.Id, address, node, new Overlay.Primitives.EndpointId(7).ToString()), "r1", Cancelled);
        Assert.Equal(address, (await Reserve()).Value.Address);
        Assert.Equal(address, (await Reserve()).Value.Address);
        Assert.False((await rig.Loop.ProposeAsync(intent => intent.ReleaseAddress(network.Id, address, node), "", Cancelled)).IsRefused);
        World.Refused(await Reserve(), RefusalKind.Conflict, "'r1'");
    }

    [Fact]
    public async Task A_known_request_is_answered_with_its_object_as_it_is_now()
    {
        using ManagerRig rig = new();
        Task<Outcome<NodeObject>> Add() => rig.Loop.ProposeAsync(intent => intent.AddNode(World.Node(2)), "r1", Cancelled);
        Assert.Equal("1.0", (await Add()).Value.AgentVersion);
        NodeObject later = World.Node(2);
        later.AgentVersion = "2.0";
        Assert.False((await rig.Loop.ProposeAsync(intent => intent.UpdateNode(later), "", Cancelled)).IsRefused);
        Assert.Equal("2.0", (await Add()).Value.AgentVersion);
        Assert.Equal(2, rig.Loop.State.NodeCount);
    }

    [Fact]
    public async Task A_failed_sync_ends_the_loop_and_everybody_is_told_at_once()
    {
        using ManagerRig rig = new();
        Task<ClusterState> watching = rig.Loop.WaitForChangeAsync(1, Cancelled);
        Action go = await rig.HoldAsync();
        FailSyncs(rig.Folder);
        Task<Outcome<NetworkObject>> creating = rig.CreateAsync("blue");
        Task<ulong> asking = rig.SettleAsync();
        go();
        World.Refused(
            await creating, RefusalKind.Unavailable, "It is not known whether the change was made.", "(Input/output error).",
            ".segment", "`systemctl restart overlayd`");
        await Assert.ThrowsAsync<StorageWriteException>(() => rig.Loop.Completion);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => asking)).StatusCode);
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => watching)).StatusCode);

        World.Refused(await rig.CreateAsync("red"), RefusalKind.Unavailable, "The manager did not answer.", "(Input/output error).");
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(rig.SettleAsync)).StatusCode);
        Assert.Equal(
            StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => rig.Loop.WaitForChangeAsync(1, Cancelled))).StatusCode);
        Assert.Equal(1ul, rig.Loop.State.Version);
        Assert.Contains(rig.Logs.Warnings, static l => l.Contains("The store cannot go on", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Those_in_the_queue_of_a_loop_that_ends_are_told_too()
    {
        using ManagerRig rig = new();
        Action go = await rig.HoldAsync();
        FailSyncs(rig.Folder);

        // More than a batch, and more than the queue holds: some wait to be let in.
        Task<Outcome<NetworkObject>>[] creating = [.. Enumerable.Range(0, 5000).Select(i => rig.CreateAsync($"net{i}"))];
        go();
        Outcome<NetworkObject>[] outcomes = await Task.WhenAll(creating);
        Assert.All(outcomes, static o => Assert.Equal(RefusalKind.Unavailable, o.Refusal?.Kind));
        Assert.Contains(outcomes, static o => o.Refusal!.What.StartsWith("It is not known", StringComparison.Ordinal));
        Assert.Contains(outcomes, static o => o.Refusal!.What.StartsWith("The manager did not answer", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_orderly_end_finishes_what_waits_and_refuses_what_comes_later()
    {
        using ManagerRig rig = new();
        Task<ClusterState> watching = rig.Loop.WaitForChangeAsync(5, Cancelled);
        Task<Outcome<NetworkObject>> creating = rig.CreateAsync("blue");
        rig.Loop.Dispose();
        Assert.False((await creating).IsRefused);
        await rig.Loop.Completion;
        World.Refused(await rig.CreateAsync("red"), RefusalKind.Unavailable, "The agent is stopping.");
        await Assert.ThrowsAsync<RpcException>(() => watching);
    }

    [Fact]
    public async Task A_full_disk_refuses_changes_and_nothing_else()
    {
        using ManagerRig rig = new();
        await rig.CreateAsync("blue", "r1");
        int written = rig.Folder.Journal.Count;
        rig.Folder.FreeBytes = 3 << 20;
        World.Refused(
            await rig.CreateAsync("red", "r2"), RefusalKind.Unavailable, "The change was not made.", "/model/log has 3 MiB left",
            "Make room on that disk");
        World.Refused(await rig.CreateAsync("blue"), RefusalKind.Conflict);
        Assert.False((await rig.CreateAsync("blue", "r1")).IsRefused);
        await rig.Loop.SweepAsync(Cancelled);
        Assert.Equal(3ul, await rig.SettleAsync());
        Assert.Equal(written, rig.Folder.Journal.Count);
        Assert.False(rig.Loop.Completion.IsCompleted);

        rig.Restart();
        rig.Folder.FreeBytes = 16 << 20;
        Assert.False((await rig.CreateAsync("red", "r2")).IsRefused);
        Assert.Equal(["blue", "red"], rig.Loop.State.Networks.Select(static n => n.Name).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_snapshot_is_due_by_the_last_one_and_not_by_the_start()
    {
        using ManagerRig rig = new(snapshotEvery: 10);
        for (int i = 0; i < 40; i++)
        {
            await rig.CreateAsync($"net{i}");
            await rig.SettleAsync();
            if (i % 3 == 2)
            {
                rig.Restart();
            }
        }

        // Entry 1 made the cluster, and each of the 14 starts began with one.
        Assert.Equal(55ul, rig.Loop.State.Version);
        string[] snapshots = [.. rig.Folder.Names().Where(static n => n.EndsWith(".snapshot", StringComparison.Ordinal))];
        Assert.Equal([LogNames.Snapshot(40), LogNames.Snapshot(50)], snapshots);
        Assert.Equal(40, rig.Loop.State.NetworkCount);
    }

    [Fact]
    public async Task A_snapshot_waits_for_room_and_the_log_does_not()
    {
        using ManagerRig rig = new(snapshotEvery: 10);
        for (int i = 0; i < 12; i++)
        {
            rig.Folder.FreeBytes = i > 5 ? 16 << 20 : int.MaxValue;
            Assert.False((await rig.CreateAsync($"net{i}")).IsRefused);
            await rig.SettleAsync();
        }

        Assert.DoesNotContain(rig.Folder.Names(), static n => n.EndsWith(".snapshot", StringComparison.Ordinal));
        Assert.Contains(rig.Logs.Warnings, static l => l.StartsWith("No snapshot was taken: The disk of /model/log", StringComparison.Ordinal));
        rig.Folder.FreeBytes = int.MaxValue;
        await rig.CreateAsync("last");
        await rig.SettleAsync();
        Assert.Contains(LogNames.Snapshot(15), rig.Folder.Names());
    }

    [Fact]
    public async Task Every_acknowledged_create_survives_a_kill_at_any_operation()
    {
        using ManagerRig rig = new(snapshotEvery: 4, new() { SegmentEntries = 6 });
        SortedDictionary<string, ReadOnlyMemory<byte>> start = rig.Folder.Image();
        rig.Restart(start);
        List<(int At, string Name)> acknowledged = [];
        for (int i = 0; i < 14; i++)
        {
            Outcome<NetworkObject> created = await rig.CreateAsync($"net{i}", $"r{i}");
            Assert.False(created.IsRefused);
            await rig.SettleAsync();
            acknowledged.Add((rig.Folder.Journal.Count, created.Value.Name));
        }

        DiskOperation[] journal = [.. rig.Folder.Journal];
        Assert.Contains(journal, static o => o is DiskOperation.Delete);
        CrashModel disk = new(start, new(3));
        for (int i = 0; i < journal.Length; i++)
        {
            disk.Apply(journal[i]);
            rig.Restart(disk.AfterPowerFailure());
            string[] wanted = [.. acknowledged.Where(a => a.At <= i + 1).Select(static a => a.Name)];
            Assert.Empty(wanted.Except(rig.Loop.State.Networks.Select(static n => n.Name)));
            Assert.InRange(rig.Loop.State.NetworkCount, wanted.Length, wanted.Length + 1);
            World.Check(rig.Loop.State);
        }
    }

    [Fact]
    public void What_this_version_cannot_read_is_refused_in_words()
    {
        Assert.Contains("entry 1 is not of this version of overlayd", Refused(new(1, 1, new byte[] { 0xFF, 1, 2 })), StringComparison.Ordinal);
        Assert.Contains("entry 1 is not of this version of overlayd", Refused(new(1, 1, new byte[] { 26, 0 })), StringComparison.Ordinal);
        LogRecovery odd = Recovered(log =>
        {
            log.Append([new(1, 1, Array.Empty<byte>())]);
            log.SaveSnapshot(new(1, 1, new byte[] { 0xFF }));
        });
        Assert.Contains(
            $"{LogNames.Snapshot(1)} is damaged (the snapshot is not of this version",
            Assert.Throws<StorageCorruptException>(() => Overlay.Daemon.Manager.StoreRecovery.Recover(odd, "/model/log")).Message,
            StringComparison.Ordinal);

        static string Refused(LogEntry entry)
        {
            LogRecovery found = Recovered(log => log.Append([entry]));
            return Assert.Throws<StorageCorruptException>(() => Overlay.Daemon.Manager.StoreRecovery.Recover(found, "/model/log")).Message;
        }

        static LogRecovery Recovered(Action<LogStore> write)
        {
            ModelFolder folder = new();
            using (LogStore log = LogStore.Open(folder, new(), out _))
            {
                write(log);
            }

            LogStore.Open(new ModelFolder(folder.Image()), new(), out LogRecovery found).Dispose();
            return found;
        }
    }

    [Fact]
    public async Task What_recovery_found_is_logged()
    {
        using ManagerRig rig = new();
        await rig.CreateAsync("blue");
        rig.Loop.Dispose();
        SortedDictionary<string, ReadOnlyMemory<byte>> image = rig.Folder.Image();
        string name = Assert.Single(image.Keys, static n => n.EndsWith(".segment", StringComparison.Ordinal));
        image[name] = (byte[])[.. image[name].Span, 1, 2, 3];
        rig.Restart(image);
        Assert.NotNull(rig.Loop.State.NetworkNamed("blue"));
        Assert.Contains(
            rig.Logs.Warnings,
            l => l.Contains(name, StringComparison.Ordinal) && l.Contains("a write of entry 4 did not finish", StringComparison.Ordinal));
    }
}
