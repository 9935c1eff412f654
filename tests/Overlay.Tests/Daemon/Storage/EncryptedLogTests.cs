using System.Text;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>A log whose entries, snapshots, term and vote are encrypted at rest.</summary>
public sealed class EncryptedLogTests
{
    private const string Secret = "a secret of the cluster that no file may show";
    private static readonly LogIdentity Self = new("c1", new(0xA1));
    private static readonly LogKeys Keys = DataKeyFile.NewKeys(Self);

    private static LogStore Open(ModelFolder folder, LogKeys? keys, out LogRecovery found, bool allowDamage = false) =>
        LogStore.OpenAs(folder, new() { Limits = new() { SegmentEntries = 6 }, Identity = Self, Keys = keys, AllowDamage = allowDamage }, out found);

    private static LogEntry Entry(ulong index) => new(index, 1, Encoding.ASCII.GetBytes(Secret + index));

    private static SortedDictionary<string, ReadOnlyMemory<byte>> Files()
    {
        ModelFolder folder = new();
        using (LogStore log = Open(folder, Keys, out _))
        {
            log.WriteState(new(0x1122334455667788, new(0x99AABBCCDDEEFF)));
            log.Append([.. Enumerable.Range(1, 6).Select(static i => Entry((ulong)i))]);
            log.SaveSnapshot(new(6, 1, Encoding.ASCII.GetBytes(Secret)));
            log.Append([.. Enumerable.Range(7, 6).Select(static i => Entry((ulong)i))]);
        }

        return folder.Image();
    }

    [Fact]
    public void No_file_shows_anything_and_all_of_it_reads_back()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files();
        foreach ((string name, ReadOnlyMemory<byte> bytes) in files)
        {
            Assert.True(bytes.Span.IndexOf("a secret"u8) < 0, name);
            Assert.True(bytes.Span.IndexOf(BitConverter.GetBytes(0x1122334455667788ul)) < 0, name);
            Assert.True(bytes.Span.IndexOf(BitConverter.GetBytes(0x99AABBCCDDEEFFul)) < 0, name);
        }

        using LogStore log = Open(new ModelFolder(files), Keys, out LogRecovery found);
        Assert.Equal(new HardState(0x1122334455667788, new(0x99AABBCCDDEEFF)), log.State);
        Assert.Equal(Secret, Encoding.ASCII.GetString(found.Snapshot!.Data.Span));
        Assert.Equal([.. Enumerable.Range(7, 6).Select(static i => Secret + i)], found.Entries.Select(static e => Encoding.ASCII.GetString(e.Data.Span)));
    }

    [Fact]
    public void Every_start_begins_a_segment_and_never_goes_on_with_a_key()
    {
        ModelFolder folder = new(Files());
        int before = folder.Names().Count;
        using (LogStore log = Open(folder, Keys, out _))
        {
            log.Append([Entry(13)]);
            log.Append([Entry(14)]);
        }

        Assert.Equal(before + 1, folder.Names().Count);
        Open(new ModelFolder(folder.Image()), Keys, out LogRecovery found).Dispose();
        Assert.Equal(14ul, found.LastIndex);
    }

    [Fact]
    public void Without_the_key_or_with_another_it_does_not_open_and_is_not_changed()
    {
        foreach (LogKeys? keys in (LogKeys?[])[null, DataKeyFile.NewKeys(Self), new(Self with { Cluster = "c2" }, Keys.Current)])
        {
            ModelFolder folder = new(Files());
            Assert.ThrowsAny<IOException>(() => Open(folder, keys, out _));
            Assert.Empty(folder.Journal);
        }
    }

    [Fact]
    public void What_is_moved_to_another_place_does_not_open_though_its_checksum_is_right()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files();
        string name = LogNames.Segment(2, 7);
        SegmentScan scan = SegmentScan.Of(files[name]);
        byte[] bytes = files[name].ToArray();

        // Entry 8's cipher under the number of entry 9, with a checksum that fits.
        LogEntry moved = scan.Entries[2] with { Data = scan.Entries[1].Data.ToArray() };
        SegmentFormat.WriteRecord(bytes.AsSpan(scan.Offsets[2]), moved, 0, scan.Header.Salt);
        files[name] = bytes;
        StorageCorruptException refusal = Assert.Throws<StorageCorruptException>(() => Open(new ModelFolder(files), Keys, out _));
        Assert.Contains("entry 9 does not open with its data key", refusal.Message, StringComparison.Ordinal);
        using LogStore log = Open(new ModelFolder(files), Keys, out LogRecovery found, allowDamage: true);
        Assert.Equal([new DamagedRange(9, 9, 1)], found.Damaged);

        LogRecovery mended = log.Repair(found, [Entry(9)]);
        Assert.Empty(mended.Damaged);
        Assert.Equal([.. Enumerable.Range(7, 6).Select(static i => Secret + i)], mended.Entries.Select(static e => Encoding.ASCII.GetString(e.Data.Span)));
    }

    [Fact]
    public void A_new_key_is_written_with_and_the_old_one_goes_when_nothing_needs_it()
    {
        ModelFolder folder = new(Files());
        LogKeys both = DataKeyFile.Rotated(Keys, new SortedSet<ulong> { Keys.Current.Id });
        Assert.Equal(2, both.Keys.Length);
        using (LogStore log = Open(folder, both, out _))
        {
            log.WriteState(log.State with { Vote = new(5) });
            for (ulong index = 13; index <= 26; index++)
            {
                log.Append([Entry(index)]);
                if (index is 14 or 20)
                {
                    log.SaveSnapshot(new(index, 1, Encoding.ASCII.GetBytes(Secret)));
                }
            }
        }

        LogKeys alone = new(Self, both.Current);
        using LogStore again = Open(new ModelFolder(folder.Image()), alone, out LogRecovery found);
        Assert.Equal(26ul, found.LastIndex);
        Assert.Equal(new MemberId(5), again.State.Vote);
    }

    [Fact]
    public void A_log_in_the_clear_goes_on_encrypted()
    {
        ModelFolder folder = new();
        using (LogStore log = Open(folder, null, out _))
        {
            log.WriteState(new(1, MemberId.None));
            log.Append([Entry(1)]);
        }

        using (LogStore log = Open(folder, Keys, out _))
        {
            log.Append([Entry(2)]);
        }

        Open(new ModelFolder(folder.Image()), Keys, out LogRecovery found).Dispose();
        Assert.Equal([Secret + 1, Secret + 2], found.Entries.Select(static e => Encoding.ASCII.GetString(e.Data.Span)));
        Assert.Throws<MemberLostException>(() => Open(new ModelFolder(folder.Image()), null, out _));
    }
}
