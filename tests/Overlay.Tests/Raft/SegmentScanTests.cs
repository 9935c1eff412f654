using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Tests.Raft;

/// <summary>What bytes of any origin are taken for, and at what cost.</summary>
public sealed class SegmentScanTests
{
    private const ulong Salt = 0x1234_5678_9ABC_DEF0;

    /// <summary>A segment of batches, each of so many entries; the last may lack its identifiers.</summary>
    private static byte[] Segment(bool identifyLast, params int[] batches)
    {
        byte[] bytes = new byte[SegmentFormat.EntriesOffset + 4096];
        SegmentFormat.WriteHeader(bytes, new(7, 100, Salt, 2, new(0xAB), 5));
        SegmentFormat.WriteHeader(bytes.AsSpan(SegmentFormat.HeaderCopyOffset), new(7, 100, Salt, 2, new(0xAB), 5));
        (int end, ulong index) = (SegmentFormat.EntriesOffset, 100);
        for (int batch = 0; batch < batches.Length; batch++)
        {
            for (int place = 0; place < batches[batch]; place++, index++)
            {
                byte[] data = new byte[index % 30];
                new Prng(index).Fill(data);
                int length = SegmentFormat.WriteRecord(bytes.AsSpan(end), new(index, 3, data), place, Salt);
                if (identifyLast || batch < batches.Length - 1)
                {
                    int slot = SegmentFormat.IdentifiersOffset + ((int)(index - 100) * SegmentFormat.IdentifierBytes);
                    SegmentFormat.WriteIdentifier(bytes.AsSpan(slot), new(index, 3, (uint)end, (uint)data.Length, EntryKind.Data), Salt);
                }

                end += length;
            }
        }

        return bytes[..end];
    }

    [Fact]
    public void The_layout_does_not_change_unnoticed()
    {
        byte[] bytes = Segment(true, 2);
        string header = "4F56444C4F4731000300000007000000000000006400000000000000F0DEBC9A78563412"
            + "0200000000000000AB00000000000000050000000000000000000000000000007B0D4A9A";
        Assert.Equal(header, Convert.ToHexString(bytes[..72]));
        Assert.Equal(header, Convert.ToHexString(bytes.AsSpan(SegmentFormat.HeaderCopyOffset, 72)));
        Assert.Equal(
            "64000000000000000300000000000000000010000A00000001000000C048EF66",
            Convert.ToHexString(bytes.AsSpan(SegmentFormat.IdentifiersOffset, 32)));
        Assert.Equal(
            "650000000000000003000000000000000B0000000100000001000000",
            Convert.ToHexString(bytes.AsSpan(SegmentFormat.EntriesOffset + SegmentFormat.RecordBytes(10), 28)));
        Assert.Equal(
            "4F5644534E503200" + "0500000000000000" + "0200000000000000",
            Convert.ToHexString(SnapshotFormat.Write(new(5, 2, "x"u8.ToArray()))[..24]));
    }

    [Fact]
    public void Crc32C_is_Castagnolis()
    {
        // RFC 3720, B.4: 32 bytes of zeroes; a seed counts as eight bytes before.
        byte[] zeroes = new byte[24];
        Assert.Equal(0x8A9136AAu, Crc32C.Of(zeroes));
        Assert.NotEqual(Crc32C.Of("1"u8), Crc32C.Of("1"u8, 1));
        Assert.NotEqual(Crc32C.Of("a"u8), Crc32C.Of("a\0"u8));
    }

    [Fact]
    public void A_whole_segment_reads_back()
    {
        SegmentScan scan = SegmentScan.Of(Segment(true, 1, 3, 2));
        Assert.Equal(ScanVerdict.Whole, scan.Verdict);
        Assert.Equal(105ul, scan.LastIndex);
        Assert.Equal(Enumerable.Range(100, 6).Select(static i => (ulong)i), scan.Entries.Select(static e => e.Index));
        Assert.Empty(scan.Unidentified);
        Assert.Equal([4, 5], SegmentScan.Of(Segment(false, 1, 3, 2)).Unidentified);
    }

    [Fact]
    public void A_bad_record_is_torn_only_if_all_behind_it_is_of_its_own_batch()
    {
        byte[] batch = Segment(false, 1, 3);
        SegmentScan whole = SegmentScan.Of(batch);
        batch[whole.Offsets[1]] ^= 1;
        SegmentScan torn = SegmentScan.Of(batch);
        Assert.Equal(ScanVerdict.Torn, torn.Verdict);
        Assert.Equal(whole.Offsets[1], torn.End);

        byte[] batches = Segment(false, 1, 3);
        int at = whole.Offsets[3];
        SegmentFormat.WriteRecord(batches.AsSpan(at), whole.Entries[3], 0, Salt);
        batches[whole.Offsets[1]] ^= 1;
        Assert.Equal(ScanVerdict.Corrupt, SegmentScan.Of(batches).Verdict);
    }

    [Fact]
    public void Nothing_is_read_beyond_a_seal()
    {
        byte[] bytes = Segment(true, 2, 2);
        SegmentFormat.WriteSeal(bytes.AsSpan(SegmentFormat.SealOffset), 103, Salt);
        Assert.True(SegmentScan.Of(bytes) is { Verdict: ScanVerdict.Whole, IsSealed: true });
        SegmentFormat.WriteSeal(bytes.AsSpan(SegmentFormat.SealOffset), 104, Salt);
        Assert.Equal(ScanVerdict.Corrupt, SegmentScan.Of(bytes).Verdict);
        SegmentFormat.WriteSeal(bytes.AsSpan(SegmentFormat.SealOffset), 103, Salt + 1);
        Assert.False(SegmentScan.Of(bytes).IsSealed);
    }

    [Fact]
    public void Another_files_identifier_or_a_misplaced_one_is_noticed()
    {
        byte[] bytes = Segment(true, 2, 2);
        SegmentFormat.WriteIdentifier(bytes.AsSpan(SegmentFormat.IdentifiersOffset), new(100, 3, 5, 10, EntryKind.Data), Salt);
        Assert.Contains("offset 4096: entry 100 is at 1048576, but its identifier says 5", SegmentScan.Of(bytes).Fault, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_of_any_origin_neither_break_it_nor_make_it_take_more_than_they_are()
    {
        Prng prng = new(5);
        byte[] sound = Segment(true, 1, 4, 2, 5, 1);
        SortedDictionary<ScanVerdict, int> verdicts = [];
        for (int round = 0; round < 1_500; round++)
        {
            byte[] bytes = Mutated(sound, prng);
            long before = GC.GetAllocatedBytesForCurrentThread();
            SegmentScan scan = SegmentScan.Of(bytes);
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 10);
            verdicts[scan.Verdict] = verdicts.GetValueOrDefault(scan.Verdict) + 1;
            Assert.All(scan.Entries, entry => Assert.Equal(new Prng(entry.Index).NextUInt64(), First(entry)));
        }

        Assert.Equal(3, verdicts.Count);
    }

    [Fact]
    public void Lengths_that_lie_are_not_believed()
    {
        byte[] bytes = Segment(true, 1);
        foreach (uint length in (uint[])[0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, SegmentFormat.MaxEntryBytes, SegmentFormat.MaxEntryBytes + 1])
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(SegmentFormat.EntriesOffset + 16), length);
            Assert.Equal(ScanVerdict.Corrupt, SegmentScan.Of(bytes).Verdict);
            Assert.False(SegmentFormat.TryReadRecord(bytes.AsMemory(SegmentFormat.EntriesOffset), 100, Salt, out _));
        }
    }

    [Fact]
    public void A_search_behind_a_bad_record_is_bounded()
    {
        // Every eight bytes look like the beginning of a record of a later batch, with 16,000 bytes of data.
        byte[] bytes = new byte[SegmentFormat.EntriesOffset + (8 << 20)];
        SegmentFormat.WriteHeader(bytes, new(1, 1, Salt));
        for (int at = SegmentFormat.EntriesOffset; at + 8 <= bytes.Length; at += 8)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(at), 16_000);
        }

        Assert.Equal(ScanVerdict.Torn, SegmentScan.Of(bytes).Verdict);
    }

    [Fact]
    public void Snapshots_of_any_origin_neither_break_it_nor_are_taken()
    {
        Prng prng = new(6);
        byte[] sound = SnapshotFormat.Write(new(9, 2, new byte[300]));
        Assert.True(SnapshotFormat.TryRead(sound, 9, out _));
        Assert.False(SnapshotFormat.TryRead(sound, 10, out _));
        for (int length = 0; length < sound.Length; length++)
        {
            Assert.False(SnapshotFormat.TryRead(sound.AsMemory(0, length), 9, out _));
        }

        for (int round = 0; round < 20_000; round++)
        {
            byte[] bytes = Mutated(sound, prng);
            bool taken = SnapshotFormat.TryRead(bytes, 9, out LogSnapshot? snapshot);
            Assert.Equal(taken, snapshot is not null);
            Assert.True(!taken || (snapshot!.Data.Length == 300 && snapshot.Term == 2), $"round {round}");
        }
    }

    [Fact]
    public void Names_are_read_as_they_are_written()
    {
        Assert.True(LogNames.TryReadSegment(LogNames.Segment(12, ulong.MaxValue), out ulong id, out ulong first));
        Assert.Equal((12ul, ulong.MaxValue), (id, first));
        Assert.True(LogNames.TryReadSnapshot(LogNames.Snapshot(7), out ulong index));
        Assert.Equal(7ul, index);
        foreach (string name in (string[])["", "-", ".segment", "1-1.segment", "0000000001-00000000000000000001.segment.tmp", "-.segment",
            "0000000001-00000000000000000001-.segment", "+000000001-00000000000000000001.segment", "7.snapshot", ".snapshot", "lock"])
        {
            Assert.False(LogNames.TryReadSegment(name, out _, out _), name);
            Assert.False(LogNames.TryReadSnapshot(name, out _), name);
        }
    }

    private static ulong First(LogEntry entry)
    {
        // Only the entries whose data was made by that generator validate; short ones have fewer of its bytes.
        byte[] expected = new byte[entry.Data.Length];
        new Prng(entry.Index).Fill(expected);
        Assert.Equal(expected, entry.Data.ToArray());
        return new Prng(entry.Index).NextUInt64();
    }

    private static byte[] Mutated(byte[] sound, Prng prng)
    {
        byte[] bytes = prng.Chance(0.2) ? sound[..prng.Next(sound.Length + 1)] : [.. sound];
        for (int flips = prng.Next(4); flips > 0 && bytes.Length > 0; flips--)
        {
            int at = bytes.Length > SegmentFormat.EntriesOffset && prng.Chance(0.7)
                ? SegmentFormat.EntriesOffset + prng.Next(bytes.Length - SegmentFormat.EntriesOffset)
                : prng.Next(Math.Min(bytes.Length, SegmentFormat.IdentifiersOffset + 512));
            int length = Math.Min(1 + prng.Next(40), bytes.Length - at);
            switch (prng.Next(3))
            {
                case 0:
                    bytes[at] ^= (byte)(1 << prng.Next(8));
                    break;
                case 1:
                    prng.Fill(bytes.AsSpan(at, length));
                    break;
                default:
                    bytes.AsSpan(at, length).Fill((byte)(prng.Chance(0.5) ? 0 : 0xFF));
                    break;
            }
        }

        if (prng.Chance(0.1))
        {
            byte[] more = new byte[prng.Next(200)];
            prng.Fill(more);
            bytes = [.. bytes, .. more];
        }

        return bytes;
    }
}
