using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Secrecy;
using Overlay.Tests.Daemon.Trust;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>A real manager's disk follows the unlock key that the cluster has.</summary>
public sealed class LockKeeperTests
{
    private static readonly byte[] First = [.. Enumerable.Range(0, UnlockKey.SecretBytes).Select(static i => (byte)(i + 1))];
    private static readonly byte[] Second = [.. Enumerable.Range(0, UnlockKey.SecretBytes).Select(static i => (byte)(i + 101))];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Log_and_node_key_are_locked_rekeyed_and_opened_again()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        Assert.Equal(0ul, cluster.Manager.Seal);
        byte[] clear = Key(cluster);

        await ProposeAsync(cluster, First);
        Assert.NotEqual(0ul, cluster.Manager.Seal);
        Assert.True(Key(cluster).AsSpan().IndexOf(clear.AsSpan(clear.Length - 48)) < 0);
        Assert.Equal((KeyFileVerdict.Locked, KeyFileVerdict.Open), (Verdict(cluster, []), Verdict(cluster, First)));
        ulong seal = cluster.Manager.Seal;

        await ProposeAsync(cluster, Second);
        Assert.NotEqual(seal, cluster.Manager.Seal);
        Assert.Equal((KeyFileVerdict.Locked, KeyFileVerdict.Open), (Verdict(cluster, First), Verdict(cluster, Second)));
        Assert.Throws<InvalidDataException>(() => NodeIdentity.Load(cluster.ManagerFolder));
        await cluster.StopServerAsync();
        Assert.Throws<StorageSealedException>(() => ManagerStorage.Open(
            new DiskFolder(ManagerStorage.FolderOf(cluster.StateFolder)), TrustCluster.ClusterId, MemberId.None, First, out _));
        using (DiskFolder log = new(ManagerStorage.FolderOf(cluster.StateFolder)))
        {
            Assert.Equal(KeyFileVerdict.Open, ManagerStorage.TryKeys(log, TrustCluster.ClusterId, Second, out LogKeys? keys));
            Assert.Equal(cluster.Manager.Node, NodeIdentity.Load(cluster.ManagerFolder, keys).Node);
        }

        await cluster.StartServerAsync(Second, Cancelled);
        Assert.Equal(Second, cluster.Loop.State.Cluster!.UnlockKey.ToByteArray());
        await ProposeAsync(cluster, []);
        Assert.Equal(KeyFileVerdict.Open, Verdict(cluster, []));
        Assert.Equal(clear, Key(cluster));
        cluster.NoSecretIsTold();
        string told = string.Join('\n', cluster.Logs.Lines.Select(static l => l.Text));
        Assert.DoesNotContain(Convert.ToHexString(First), told, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("OVKEY", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_crash_left_in_between_is_finished_at_the_next_start()
    {
        await using TrustCluster cluster = await TrustCluster.StartAsync(Cancelled);
        await ProposeAsync(cluster, First);
        await cluster.StopServerAsync();

        // The node's key is still in the clear, as if the data keys were wrapped and nothing more.
        cluster.Manager.Protect(null);
        await cluster.StartServerAsync(First, Cancelled);
        await cluster.Locking.WaitAsync(First, Cancelled);
        Assert.NotEqual(0ul, cluster.Manager.Seal);
    }

    private static async Task ProposeAsync(TrustCluster cluster, byte[] key)
    {
        Outcome<ClusterObject> changed = await cluster.Loop.ProposeAsync(
            intent => key.Length == 0 ? intent.Unlock() : intent.Lock(key) is { Value.IsEmpty: false } first ? first : intent.RotateUnlockKey(key),
            "", Cancelled);
        Assert.False(changed.IsRefused, changed.Refusal?.ToString());
        await cluster.Locking.WaitAsync(key, Cancelled);
    }

    private static byte[] Key(TrustCluster cluster) => File.ReadAllBytes(Path.Combine(cluster.ManagerFolder, "certificates", "node.key"));

    /// <summary>The running manager holds the folder's lock, so its files are looked at in a copy.</summary>
    private static KeyFileVerdict? Verdict(TrustCluster cluster, byte[] key)
    {
        using TemporaryFolder copy = new();
        foreach (string file in Directory.EnumerateFiles(ManagerStorage.FolderOf(cluster.StateFolder)))
        {
            if (Path.GetFileName(file) != FolderLock.FileName)
            {
                File.Copy(file, Path.Combine(copy.Path, Path.GetFileName(file)));
            }
        }

        using DiskFolder folder = new(copy.Path);
        return ManagerStorage.TryKeys(folder, TrustCluster.ClusterId, key, out _);
    }
}
