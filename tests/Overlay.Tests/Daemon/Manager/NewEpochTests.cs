using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Tests.Cluster;
using Overlay.Tests.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>A cluster is begun anew from a manager's log or from a backup, and a crash leaves all of it or nothing.</summary>
public sealed class NewEpochTests
{
    private static readonly MemberId Member = new(11);
    private static readonly Overlay.Raft.Configuration Three = Overlay.Raft.Configuration.OfVoters(Member, new(22), new(33));

    /// <summary>One of three managers, with three committed transactions and a tail that nobody else may have.</summary>
    private static ModelFolder Survivor(byte[] key, out ulong last)
    {
        World world = new("10.0.0.0/8");
        foreach (ulong number in (ulong[])[2, 3])
        {
            NodeObject node = World.Node(number, NodeRole.Manager);
            node.MemberId = number * 11;
            world.Do(world.Intent.AddNode(node));
        }

        ModelFolder folder = new();
        using LogStore log = ManagerStorage.Open(folder, "cluster1", Member, key, out _);
        log.WriteState(new(4, new(22)));
        log.Append([new(1, 1, world.Log[0].ToByteArray()), new(2, 2, EntryKind.Blank, default)]);
        log.Append([new(3, 2, EntryKind.Configuration, Bytes(Three))]);
        log.Append([.. world.Log.Skip(1).Select((t, i) => new LogEntry((ulong)(4 + i), 4, t.ToByteArray()))]);
        world.Do(world.Intent.CreateNetwork(new() { Id = World.NodeIdOf(50), Name = "tail" }));
        log.Append([new(log.LastIndex + 1, 4, world.Log[^1].ToByteArray())]);
        last = log.LastIndex;
        return folder;
    }

    private static byte[] Bytes(Overlay.Raft.Configuration configuration)
    {
        System.Buffers.ArrayBufferWriter<byte> writer = new();
        configuration.Write(writer);
        return writer.WrittenSpan.ToArray();
    }

    private static NodeObject Self()
    {
        NodeObject self = World.Node(1, NodeRole.Manager);
        self.GossipAddress = "192.0.2.99:7946";
        self.ControlAddress = "192.0.2.99:2377";
        return self;
    }

    private static Store Reopen(ModelFolder folder, byte[] key, out LogRecovery found, out HardState hard)
    {
        using LogStore log = ManagerStorage.Open(folder, "cluster1", MemberId.None, key, out found);
        hard = log.State;
        return StoreRecovery.Recover(found, folder.Path);
    }

    [Fact]
    public void Everything_of_the_log_goes_on_with_one_manager_in_the_next_epoch()
    {
        foreach (byte[] key in (byte[][])[[], [.. Enumerable.Range(0, 32).Select(static i => (byte)i)]])
        {
            ModelFolder folder = Survivor(key, out ulong last);
            Outcome<NewEpoch.Begun> begun = NewEpoch.Force(folder, "cluster1", Self(), key, 2_000_000);
            Assert.Equal((2ul, last), (begun.Value.Cluster.Epoch, begun.Value.LastBefore));

            Store store = Reopen(new(folder.Image()), key, out LogRecovery found, out HardState hard);
            Assert.Equal((5ul, MemberId.None), (hard.Term, hard.Vote));
            Assert.Equal(last + NewEpoch.Leap, found.Snapshot!.Index);
            Assert.Equal(Overlay.Raft.Configuration.OfVoters(Member), found.Snapshot.Configuration);
            Assert.Empty(found.Entries);
            Assert.NotNull(store.State.NetworkNamed("tail"));
            Assert.Equal((2ul, last + NewEpoch.Leap), (store.State.Epoch, store.Version));
            Assert.Equal([false, true, true], store.State.Nodes.Select(static n => n.Superseded));
            Assert.Equal("192.0.2.99:2377", store.State.Node(World.NodeIdOf(1))!.ControlAddress);
        }
    }

    [Fact]
    public void Stopped_anywhere_it_is_as_before_or_done_and_can_be_repeated()
    {
        int before = 0, after = 0;
        for (ulong seed = 1; seed <= 4; seed++)
        {
            ModelFolder folder = new(Survivor([], out ulong last).Image());
            SortedDictionary<string, ReadOnlyMemory<byte>> start = folder.Image();
            Assert.False(NewEpoch.Force(folder, "cluster1", Self(), [], 2_000_000).IsRefused);
            Prng prng = new(seed);
            CrashModel disk = new(start, prng);
            for (int i = 0; i < folder.Journal.Count; i++)
            {
                if (folder.Journal[i] is DiskOperation.Write write)
                {
                    Check(disk.AfterKill(write, prng.Next(write.Bytes.Length)), last);
                }

                disk.Apply(folder.Journal[i]);
                Check(disk.AfterPowerFailure(), last);
            }

            Assert.Equal(2ul, Reopen(new(disk.AfterPowerFailure()), [], out _, out _).State.Epoch);
        }

        Assert.True(before > 20 && after > 0, $"{before} before, {after} after");

        void Check(SortedDictionary<string, ReadOnlyMemory<byte>> image, ulong last)
        {
            ModelFolder stopped = new(image);
            Store store = Reopen(stopped, [], out LogRecovery found, out HardState hard);
            Assert.NotNull(store.State.NetworkNamed("tail"));
            if (store.State.Epoch == 1)
            {
                before++;
                Assert.Equal(last, found.LastIndex);
                Assert.True(hard.Term is 4 or 5);
            }
            else
            {
                after++;
                Assert.Equal(last + NewEpoch.Leap, found.LastIndex);
            }

            ModelFolder again = new(stopped.Image());
            ulong epoch = store.State.Epoch;
            Assert.Equal(epoch + 1, NewEpoch.Force(again, "cluster1", Self(), [], 3_000_000).Value.Cluster.Epoch);
            Store repeated = Reopen(new(again.Image()), [], out _, out _);
            Assert.NotNull(repeated.State.NetworkNamed("tail"));
            Assert.Equal(1, repeated.State.Nodes.Count(static n => n.Role == NodeRole.Manager));
        }
    }

    [Fact]
    public void A_backup_goes_on_under_another_member_and_keeps_what_it_had()
    {
        ModelFolder old = Survivor([], out _);
        Store store = Reopen(new(old.Image()), [], out _, out _);
        NodeObject self = World.Node(9, NodeRole.Manager);
        self.MemberId = 99;
        ModelFolder folder = new();
        Outcome<NewEpoch.Begun> begun = NewEpoch.Restore(folder, store.Snapshot(), self, 2_000_000, out LogStore? log);
        log!.Dispose();
        Assert.Equal(2ul, begun.Value.Cluster.Epoch);

        Store restored = Reopen(new(folder.Image()), [], out LogRecovery found, out _);
        Assert.Equal(Overlay.Raft.Configuration.OfVoters(new MemberId(99)), found.Snapshot!.Configuration);
        Assert.NotNull(restored.State.NetworkNamed("tail"));
        Assert.True(restored.Version >= store.Version + NewEpoch.Leap);
        Assert.Equal([World.NodeIdOf(9)], restored.State.Nodes.Where(static n => n.Role == NodeRole.Manager).Select(static n => n.Id));
        Assert.Equal(store.State.Cluster!.CaKey, restored.State.Cluster!.CaKey);
    }

    [Fact]
    public void A_log_without_a_state_and_an_address_of_another_node_are_refused()
    {
        ModelFolder empty = new();
        ManagerStorage.Open(empty, "cluster1", Member, [], out _).Dispose();
        Assert.True(NewEpoch.Force(new ModelFolder(empty.Image()), "cluster1", Self(), [], 1).IsRefused);

        ModelFolder folder = new(Survivor([], out ulong last).Image());
        NodeObject taken = Self();
        taken.GossipAddress = World.Node(2).GossipAddress;
        Assert.Contains("host2", NewEpoch.Force(folder, "cluster1", taken, [], 1).Refusal!.Why, StringComparison.Ordinal);
        Reopen(new(folder.Image()), [], out LogRecovery found, out HardState hard);
        Assert.Equal((last, 4ul), (found.LastIndex, hard.Term));
    }
}
