using System.Globalization;
using System.Text;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Secrecy;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Daemon.Manager;

/// <summary>A manager's log, which is always encrypted, and its key files.</summary>
public sealed class ManagerStorageTests
{
    private const string Secret = "a secret of the cluster";
    private static readonly byte[] First = [.. Enumerable.Range(0, DataKey.Bytes).Select(static i => (byte)i)];
    private static readonly byte[] Second = [.. Enumerable.Range(0, DataKey.Bytes).Select(static i => (byte)(i + 100))];

    private static LogStore Open(ILogFolder folder, byte[] key, out LogRecovery found) =>
        ManagerStorage.Open(folder, "c1", MemberId.None, key, out found);

    private static LogEntry Entry(ulong index) => new(index, 1, Encoding.ASCII.GetBytes(Secret + index));

    private static ModelFolder Filled(byte[] key)
    {
        ModelFolder folder = new();
        using LogStore log = Open(folder, key, out _);
        log.WriteState(new(1, MemberId.None));
        log.Append([Entry(1), Entry(2)]);
        return folder;
    }

    private static string[] Texts(LogRecovery found) => [.. found.Entries.Select(static e => Encoding.ASCII.GetString(e.Data.Span))];

    [Fact]
    public void A_new_log_is_encrypted_from_its_first_entry_and_opens_again()
    {
        ModelFolder folder = Filled([]);
        Assert.All(folder.Image(), static f => Assert.True(f.Value.Span.IndexOf("a secret"u8) < 0, f.Key));
        Assert.Superset(DataKeyFile.FileNames.ToHashSet(), folder.Names().ToHashSet());
        Open(new ModelFolder(folder.Image()), [], out LogRecovery found).Dispose();
        Assert.Equal([Secret + 1, Secret + 2], Texts(found));
    }

    [Fact]
    public void A_folder_of_before_goes_on_encrypted_and_keeps_what_it_has()
    {
        // Of one manager alone, before members had states; and of a member, in the clear.
        foreach (LogIdentity? identity in (LogIdentity?[])[null, new("c1", new(5))])
        {
            ModelFolder folder = new();
            using (LogStore log = LogStore.OpenAs(folder, new() { Identity = identity }, out _))
            {
                if (identity is not null)
                {
                    log.WriteState(new(1, MemberId.None));
                }

                log.Append([Entry(1)]);
            }

            using (LogStore log = Open(folder, [], out LogRecovery found))
            {
                Assert.Equal([Secret + 1], Texts(found));
                log.WriteState(new(3, MemberId.None));
                log.Append([Entry(2) with { Term = 3 }]);
            }

            Assert.All(folder.Image(), static f => Assert.True(f.Value.Span.IndexOf("a secret of the cluster2"u8) < 0, f.Key));
            Open(new ModelFolder(folder.Image()), [], out LogRecovery again).Dispose();
            Assert.Equal([Secret + 1, Secret + 2], Texts(again));
        }
    }

    [Fact]
    public void One_damaged_or_missing_key_file_is_made_up_for_and_two_are_told()
    {
        foreach (string name in DataKeyFile.FileNames)
        {
            foreach (bool missing in (bool[])[true, false])
            {
                SortedDictionary<string, ReadOnlyMemory<byte>> files = Filled([]).Image();
                Spoil(files, name, missing);
                ModelFolder folder = new(files);
                Open(folder, [], out LogRecovery found).Dispose();
                Assert.Equal([Secret + 1, Secret + 2], Texts(found));
                Spoil(files = folder.Image(), DataKeyFile.FileNames.Single(other => other != name), missing);
                Open(new ModelFolder(files), [], out found).Dispose();
                Assert.Equal(2, found.Entries.Count);

                Spoil(files = folder.Image(), DataKeyFile.FileNames[0], missing);
                Spoil(files, DataKeyFile.FileNames[1], missing);
                ModelFolder lost = new(files);
                StorageKeyException refusal = Assert.Throws<StorageKeyException>(() => Open(lost, [], out _));
                Assert.Contains(missing ? "are missing" : "validates", refusal.Message, StringComparison.Ordinal);
                Assert.Empty(lost.Journal);
            }
        }

        static void Spoil(SortedDictionary<string, ReadOnlyMemory<byte>> files, string name, bool missing)
        {
            byte[] bytes = files[name].ToArray();
            bytes[40] ^= 1;
            files[name] = bytes;
            if (missing)
            {
                files.Remove(name);
            }
        }
    }

    [Fact]
    public void Locked_it_opens_with_the_unlock_key_alone()
    {
        ModelFolder folder = Filled(First);
        foreach (byte[] wrong in (byte[][])[[], Second])
        {
            ModelFolder tried = new(folder.Image());
            Assert.Throws<StorageSealedException>(() => Open(tried, wrong, out _));
            Assert.Equal(KeyFileVerdict.Locked, ManagerStorage.TryKeys(tried, "c1", wrong, out _));
            Assert.Empty(tried.Journal);
        }

        Open(new ModelFolder(folder.Image()), First, out LogRecovery found).Dispose();
        Assert.Equal([Secret + 1, Secret + 2], Texts(found));
    }

    [Fact]
    public void A_start_stopped_anywhere_is_begun_again()
    {
        ModelFolder folder = Filled([]);
        Stop(folder, [], new(1), (image, acknowledged, where) =>
        {
            using LogStore log = Open(new ModelFolder(image), [], out LogRecovery found);
            Assert.True(found.LastIndex == 2 || !acknowledged, where);
        });
    }

    [Fact]
    public void Another_unlock_key_stopped_anywhere_leaves_what_the_old_or_the_new_opens()
    {
        int places = 0;
        foreach ((byte[] before, byte[] after) in ((byte[], byte[])[])[([], First), (First, Second), (First, [])])
        {
            foreach (ulong seed in (ulong[])[1, 2, 3])
            {
                ModelFolder folder = new(Filled(before).Image());
                SortedDictionary<string, ReadOnlyMemory<byte>> start = folder.Image();
                using (LogStore log = Open(folder, before, out _))
                {
                    log.Append([Entry(3)]);
                    folder.Mark("acknowledged", 3);
                    log.Rekey(after, isNew: after.Length > 0);
                    folder.Mark("rekeyed", 0);
                    log.Append([Entry(4)]);
                }

                bool three = false, rekeyed = false;
                Stop(folder, start, new(seed), (image, acknowledged, where) =>
                {
                    three |= acknowledged;
                    rekeyed |= folder.Journal.Take(int.Parse(where, CultureInfo.InvariantCulture))
                        .Any(static o => o is DiskOperation.Mark { Text: "rekeyed" });
                    (byte[] key, LogRecovery found) = Either(image, rekeyed ? [after] : [before, after], where);
                    Assert.True(found.LastIndex >= (three ? 3ul : 2), where);
                    Assert.Equal(Enumerable.Range(1, (int)found.LastIndex).Select(static i => Secret + i), Texts(found));
                    if (rekeyed && after.Length > 0)
                    {
                        Assert.Throws<StorageSealedException>(() => Open(new ModelFolder(image), before, out _));
                    }

                    // Whatever was left in between, a start with that key makes both copies the same.
                    ModelFolder again = new(image);
                    Open(again, key, out _).Dispose();
                    Assert.Equal(KeyFileVerdict.Open, DataKeyFile.Read(again, ManagerIdentity.Of(again, "c1"), key, out _, out bool isWhole));
                    Assert.True(isWhole, where);
                    places++;
                });
            }
        }

        Assert.True(places > 200, $"{places} places");
    }

    [Fact]
    public void A_data_key_that_nothing_needs_any_more_goes()
    {
        ModelFolder folder = new(Filled(First).Image());
        using (LogStore log = Open(folder, First, out _))
        {
            log.Rekey(Second, isNew: true);
            for (ulong index = 3; index <= 12; index++)
            {
                log.Append([Entry(index)]);
                if (index is 6 or 9)
                {
                    log.SaveSnapshot(new(index, 1, Encoding.ASCII.GetBytes(Secret)));
                }
            }

            Assert.Equal(2, log.Keys!.Keys.Length);
        }

        using (LogStore log = Open(folder = new(folder.Image()), Second, out LogRecovery found))
        {
            Assert.Single(log.Keys!.Keys);
            Assert.Equal(12ul, found.LastIndex);
        }

        Open(new ModelFolder(folder.Image()), Second, out LogRecovery again).Dispose();
        Assert.Equal(12ul, again.LastIndex);
    }

    private static (byte[] Key, LogRecovery Found) Either(SortedDictionary<string, ReadOnlyMemory<byte>> image, byte[][] keys, string where)
    {
        foreach (byte[] key in keys)
        {
            try
            {
                Open(new ModelFolder(image), key, out LogRecovery found).Dispose();
                return (key, found);
            }
            catch (StorageSealedException)
            {
                // The other one, then.
            }
        }

        throw new Xunit.Sdk.XunitException($"neither key opens it: {where}");
    }

    /// <summary>Before every operation of the journal, in the middle of each write, and after a power failure at each place.</summary>
    private static void Stop(
        ModelFolder folder, SortedDictionary<string, ReadOnlyMemory<byte>> start, Prng prng,
        Action<SortedDictionary<string, ReadOnlyMemory<byte>>, bool, string> check)
    {
        CrashModel disk = new(start, prng);
        bool acknowledged = false;
        for (int i = 0; i < folder.Journal.Count; i++)
        {
            string where = i.ToString(CultureInfo.InvariantCulture);
            if (folder.Journal[i] is DiskOperation.Write write)
            {
                check(disk.AfterKill(write, prng.Next(write.Bytes.Length)), acknowledged, where);
            }

            acknowledged |= folder.Journal[i] is DiskOperation.Mark { Text: "acknowledged" };
            disk.Apply(folder.Journal[i]);
            check(disk.AfterPowerFailure(), acknowledged, where);
        }
    }
}
