using System.Buffers.Binary;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>Whose log it is, what it has promised, and what counts when two segments have an entry.</summary>
public sealed class MemberLogTests
{
    private static readonly LogIdentity Self = new("c1", new(0xA1));
    private static readonly LogLimits Limits = new() { SegmentEntries = 6 };

    private static LogStore Open(ModelFolder folder, out LogRecovery found) =>
        LogStore.OpenAs(folder, new() { Limits = Limits, Identity = Self }, out found);

    private static LogWrite Entries(ulong from, params ulong[] terms) =>
        new(1, null, from, terms.Select((term, i) => MemberLogModel.Entry(from + (ulong)i, term)).ToArray(), null);

    private static SortedDictionary<string, ReadOnlyMemory<byte>> Files(params Action<LogStore>[] steps)
    {
        ModelFolder folder = new();
        using (LogStore log = Open(folder, out _))
        {
            foreach (Action<LogStore> step in steps)
            {
                step(log);
            }
        }

        return folder.Image();
    }

    private static SortedDictionary<string, ReadOnlyMemory<byte>> With(
        SortedDictionary<string, ReadOnlyMemory<byte>> files, string name, int damagedAt)
    {
        byte[] bytes = files[name].ToArray();
        bytes[damagedAt] ^= 0x40;
        return new(files, StringComparer.Ordinal) { [name] = bytes };
    }

    [Fact]
    public void A_later_segments_entries_count_and_nothing_durable_is_written_over()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> before = Files(
            static log => log.WriteState(new(1, MemberId.None)), static log => log.Write(Entries(1, 1, 1, 1, 1, 1)));
        ModelFolder folder = new(before);
        using (LogStore log = Open(folder, out _))
        {
            log.WriteState(new(2, new(0xB2)));
            log.Write(Entries(3, 2, 2));
            log.CutFrom(4);
            Assert.Equal((3ul, 2ul), (log.LastIndex, log.LastTerm));
        }

        ReadOnlyMemory<byte> first = folder.Image()[LogNames.Segment(1, 1)];
        Assert.True(first.Span[SegmentFormat.EntriesOffset..].SequenceEqual(before[LogNames.Segment(1, 1)].Span[SegmentFormat.EntriesOffset..]));
        using LogStore again = Open(new ModelFolder(folder.Image()), out LogRecovery found);
        Assert.Equal([(1ul, 1ul), (2ul, 1ul), (3ul, 2ul)], found.Entries.Select(static e => (e.Index, e.Term)));
        Assert.Equal(new HardState(2, new(0xB2)), again.State);
        Assert.Empty(found.Notes);
    }

    [Fact]
    public void A_segment_that_cut_others_off_is_missed_even_if_the_entries_seem_to_go_on()
    {
        // Segments 1 (entries 1 to 6), 2 (4 to 7), 3 (7): without 2 the entries of 1 and 3 have no gap.
        SortedDictionary<string, ReadOnlyMemory<byte>> without = Files(
            static log => log.WriteState(new(3, MemberId.None)),
            static log => log.Write(Entries(1, 1, 1, 1, 1, 1, 1)),
            static log => log.Write(Entries(4, 2, 2, 2, 2)),
            static log => log.Write(Entries(7, 3)));
        Open(new ModelFolder(without), out LogRecovery found).Dispose();
        Assert.Equal([1ul, 1, 1, 2, 2, 2, 3], found.Entries.Select(static e => e.Term));
        Assert.True(without.Remove(LogNames.Segment(2, 4)) && without.ContainsKey(LogNames.Segment(3, 7)));
        Assert.Contains(
            "a segment between them is missing",
            Assert.Throws<MemberLostException>(() => Open(new ModelFolder(without), out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_damaged_copy_of_term_and_vote_forgets_nothing()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(7, new(0xB2))), static log => log.WriteState(new(8, new(0xC3))));
        foreach (string name in StateFiles.FileNames)
        {
            for (int at = 0; at < StateFormat.FileBytes; at++)
            {
                ModelFolder folder = new(With(files, name, at));
                using (LogStore log = Open(folder, out _))
                {
                    Assert.Equal(new HardState(8, new(0xC3)), log.State);
                }

                Assert.Equal(files[name].ToArray(), folder.Image()[name].ToArray());
            }

            SortedDictionary<string, ReadOnlyMemory<byte>> without = new(files, StringComparer.Ordinal);
            without.Remove(name);
            using LogStore other = Open(new ModelFolder(without), out _);
            Assert.Equal(new HardState(8, new(0xC3)), other.State);
        }
    }

    [Fact]
    public void Both_copies_damaged_or_missing_and_the_member_never_votes_again()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(7, new(0xB2))), static log => log.Write(Entries(1, 7)));
        SortedDictionary<string, ReadOnlyMemory<byte>> bad = With(With(files, "state-0", 20), "state-1", 200);
        string message = Assert.Throws<MemberLostException>(() => Open(new ModelFolder(bad), out _)).Message;
        Assert.Contains("neither of state-0 and state-1 validates", message, StringComparison.Ordinal);
        Assert.Contains("`overlayd leave --force`", message, StringComparison.Ordinal);

        bad.Remove("state-0");
        bad.Remove("state-1");
        Assert.Contains("are missing, though", Assert.Throws<MemberLostException>(() => Open(new ModelFolder(bad), out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Term_and_vote_of_before_the_entries_are_not_believed()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> old = Files(static log => log.WriteState(new(2, new(0xB2))));
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(7, new(0xB2))), static log => log.Write(Entries(1, 7)));
        files["state-0"] = old["state-0"];
        files["state-1"] = old["state-1"];
        Assert.Contains("it is of term 2", Assert.Throws<MemberLostException>(() => Open(new ModelFolder(files), out _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_folder_of_another_member_or_cluster_is_refused()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(7, MemberId.None)), static log => log.Write(Entries(1, 7)));
        foreach (LogIdentity other in (LogIdentity[])[Self with { Cluster = "c2" }, Self with { Member = new(0xB2) }])
        {
            ModelFolder folder = new(files);
            StorageForeignException refusal = Assert.Throws<StorageForeignException>(
                () => LogStore.OpenAs(folder, new() { Identity = other }, out _));
            Assert.Contains(
                $"is the log of member a1 in cluster c1, not of member {other.Member} in cluster {other.Cluster}",
                refusal.Message, StringComparison.Ordinal);
            Assert.Empty(folder.Journal);
        }

        // Another member's segment among them is no better than damage.
        ModelFolder foreign = new();
        using (LogStore log = LogStore.OpenAs(foreign, new() { Limits = Limits, Identity = Self with { Member = new(0xB2) } }, out _))
        {
            log.WriteState(new(7, MemberId.None));
            log.Write(Entries(1, 7));
        }

        files[LogNames.Segment(1, 1)] = foreign.Image()[LogNames.Segment(1, 1)];
        Assert.Throws<StorageForeignException>(() => Open(new ModelFolder(files), out _));
    }

    [Fact]
    public void A_received_snapshot_replaces_the_log_and_damage_to_it_is_no_gap_in_silence()
    {
        SnapshotMark mark = new(20, 3);
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(3, MemberId.None)),
            static log => log.Write(Entries(1, 1, 1, 1)),
            log => log.Write(new(2, null, 0, default, mark), MemberLogModel.SnapshotAt(mark)));
        using (LogStore log = Open(new ModelFolder(files), out LogRecovery found))
        {
            Assert.Equal((20ul, 3ul), (log.LastIndex, log.LastTerm));
            Assert.Empty(found.Entries);
            Assert.Empty(found.Notes);
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> bad = With(files, LogNames.Snapshot(20), 70);
        StorageCorruptException refusal = Assert.Throws<StorageCorruptException>(() => Open(new ModelFolder(bad), out _));
        Assert.Contains("the log ends with entry 3, though there is a snapshot of entry 20", refusal.Message, StringComparison.Ordinal);
        using LogStore waiting = LogStore.OpenAs(
            new ModelFolder(bad), new() { Limits = Limits, Identity = Self, AllowDamage = true }, out LogRecovery damaged);
        Assert.Equal([new DamagedRange(4, 20, 0)], damaged.Damaged);
        Assert.Throws<InvariantException>(() => waiting.Write(Entries(21, 3)));
    }

    [Fact]
    public void A_folder_of_one_manager_alone_goes_on_as_a_members()
    {
        ModelFolder folder = new(
            new SortedDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal)
            {
                [LogNames.Segment(1, 1)] = SingleSegment(3),
                [LogNames.Snapshot(2)] = SingleSnapshot(2),
            });
        using (LogStore alone = LogRig.Open(new ModelFolder(folder.Image()), out LogRecovery single))
        {
            Assert.Equal((2ul, 3ul), (single.Snapshot!.Index, single.LastIndex));
            Assert.True(single.Snapshot.Data.Span.SequenceEqual("state"u8));
        }

        using (LogStore log = Open(folder, out LogRecovery found))
        {
            Assert.Equal((3ul, 1ul, EntryKind.Data), (found.Entries.Single().Index, found.Entries[0].Term, found.Entries[0].Kind));
            Assert.Equal(new HardState(1, MemberId.None), log.State);
            log.WriteState(new(2, new(0xA1)));
            log.Write(Entries(4, 2, 2));
        }

        Assert.Contains(LogNames.Segment(2, 4), folder.Names());
        using LogStore again = Open(new ModelFolder(folder.Image()), out LogRecovery second);
        Assert.Equal([1ul, 2, 2], second.Entries.Select(static e => e.Term));
        Assert.Equal(new HardState(2, new(0xA1)), again.State);
    }

    [Fact]
    public void A_damaged_header_is_read_from_its_copy_and_mended()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Files(
            static log => log.WriteState(new(1, MemberId.None)), static log => log.Write(Entries(1, 1, 1, 1, 1, 1, 1)), static log => log.Write(Entries(7, 1)));
        foreach (int at in (int[])[3, 50, 71, SegmentFormat.HeaderCopyOffset + 12])
        {
            ModelFolder folder = new(With(files, LogNames.Segment(1, 1), at));
            Open(folder, out LogRecovery found).Dispose();
            Assert.Contains("one of the two copies of its header", Assert.Single(found.Notes), StringComparison.Ordinal);
            Assert.True(folder.Image()[LogNames.Segment(1, 1)].Span.SequenceEqual(files[LogNames.Segment(1, 1)].Span));
        }
    }

    /// <summary>As the release before wrote it: version 2, one header, no kinds.</summary>
    private static byte[] SingleSegment(int entries)
    {
        const ulong Salt = 77;
        byte[] bytes = new byte[SegmentFormat.EntriesOffset + 4096];
        "OVDLOG1\0"u8.CopyTo(bytes);
        bytes[8] = 2;
        bytes[12] = 1;
        bytes[20] = 1;
        bytes[28] = (byte)Salt;
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(44), Crc32C.Of(bytes.AsSpan(0, 44)));
        int at = SegmentFormat.EntriesOffset;
        for (int i = 0; i < entries; i++)
        {
            at += SegmentFormat.WriteRecord(bytes.AsSpan(at), new((ulong)i + 1, 1, (EntryKind)0, new byte[] { (byte)i, 9 }), 0, Salt);
        }

        return bytes[..at];
    }

    private static byte[] SingleSnapshot(ulong index)
    {
        byte[] bytes = new byte[32 + 5];
        "OVDSNP1\0"u8.CopyTo(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), index);
        bytes[16] = 1;
        "state"u8.CopyTo(bytes.AsSpan(32));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24), Crc32C.Of(bytes.AsSpan(32), Crc32C.Of(bytes.AsSpan(0, 24))));
        return bytes;
    }
}
