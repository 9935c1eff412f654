using System.Buffers.Binary;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Storage;
using Overlay.Tests.Cluster;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>A backup reads back, and whatever is not a whole one is refused in a sentence.</summary>
public sealed class BackupFileTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, UnlockKey.SecretBytes).Select(static i => (byte)(i + 3))];
    private static readonly StoreSnapshot State = new World().Store.Snapshot();

    private static byte[] Make(byte[] key) =>
        BackupFile.Write(new() { ClusterId = "cluster1", Version = State.Version, Epoch = 1, Hostname = "host1" }, State, key);

    [Fact]
    public void In_the_clear_and_locked_it_reads_back()
    {
        foreach (byte[] key in (byte[][])[[], Key])
        {
            byte[] file = Make(key);
            BackupHeader about = BackupFile.About(file).Value;
            Assert.Equal(("cluster1", State.Version, key.Length > 0), (about.ClusterId, about.Version, about.Locked));
            Assert.Equal(State, BackupFile.Read(file, key).Value);
            Assert.Equal(key.Length > 0, file.AsSpan().IndexOf("the root's key"u8) < 0);
        }
    }

    [Fact]
    public void A_locked_one_needs_its_key()
    {
        byte[] file = Make(Key);
        byte[] other = [.. Key];
        other[5] ^= 1;
        foreach ((byte[] wrong, string words) in ((byte[], string)[])[([], "of a locked cluster"), (other, "not the key")])
        {
            Refusal refusal = Assert.IsType<Refusal>(BackupFile.Read(file, wrong).Refusal);
            Assert.Equal(RefusalKind.NotPermitted, refusal.Kind);
            Assert.Contains(words, refusal.Why, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Cut_anywhere_changed_anywhere_or_of_another_kind_it_is_refused()
    {
        byte[] file = Make([]);
        for (int length = 0; length < file.Length; length++)
        {
            Assert.True(BackupFile.About(file.AsSpan(0, length)).IsRefused, $"{length} bytes");
        }

        for (int at = 0; at < file.Length; at++)
        {
            byte[] changed = [.. file];
            changed[at] ^= 0x40;
            Assert.True(BackupFile.Read(changed, []).IsRefused, $"byte {at}");
        }

        Assert.Contains("a part of it is missing", BackupFile.About(file.AsSpan(0, file.Length - 1)).Refusal!.Why, StringComparison.Ordinal);
        Assert.Contains("its checksum differs", BackupFile.About([.. file, 0]).Refusal!.Why, StringComparison.Ordinal);
        Assert.Contains("no backup", BackupFile.About("a text that is longer than a header"u8).Refusal!.Why, StringComparison.Ordinal);
        byte[] later = [.. file];
        BinaryPrimitives.WriteUInt32LittleEndian(later.AsSpan(8), 2);
        Assert.Contains("format 2, and this overlayd reads format 1", BackupFile.About(later).Refusal!.Why, StringComparison.Ordinal);
    }
}
