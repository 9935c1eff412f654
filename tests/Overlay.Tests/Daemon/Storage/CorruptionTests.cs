using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>
/// Whatever byte of the log is damaged: it reads back identical, or the log is not opened and the operator is told which
/// file, where, and what to type. Never is an entry left out in silence.
/// </summary>
public sealed class CorruptionTests
{
    private int refused;
    private int identical;

    /// <summary>Two closed segments and an open one, after an orderly end.</summary>
    private static SortedDictionary<string, ReadOnlyMemory<byte>> Sound(params int[] steps)
    {
        ModelFolder folder = new();
        using (LogStore log = LogRig.Open(folder, out _))
        {
            foreach (int count in steps)
            {
                if (count == 0)
                {
                    LogRig.TakeSnapshot(log);
                }
                else
                {
                    LogRig.Append(log, folder, count);
                }
            }
        }

        return folder.Image();
    }

    [Fact]
    public void Every_byte_of_closed_and_open_segments()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> sound = Sound(1, 3, 2, 4, 4, 3);
        string[] segments = [.. sound.Keys];
        Assert.Equal(3, segments.Length);
        foreach (string name in (string[])[segments[1], segments[2]])
        {
            byte[] bytes = sound[name].ToArray();
            foreach (int at in MeaningfulOffsets(sound[name].Length))
            {
                foreach (byte mask in (byte[])[0x01, 0xFF])
                {
                    bytes[at] ^= mask;
                    Judge(sound, name, bytes, 17, $"{name} at {at} ^ {mask:x2}");
                    bytes[at] ^= mask;
                }
            }
        }

        Assert.True(refused > 1_000 && identical > 1_000, $"{refused} refused, {identical} identical");
    }

    [Fact]
    public void Every_length_that_a_segment_can_be_cut_to()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> sound = Sound(1, 3, 2, 4, 4, 3);
        foreach (string name in sound.Keys)
        {
            for (int length = 0; length < sound[name].Length; length += length is > 3_000 and < SegmentFormat.EntriesOffset - 9_000 ? 8_191 : 7)
            {
                Judge(sound, name, sound[name][..length], 17, $"{name} cut to {length}");
            }
        }

        // Not even the last byte may go, but for padding.
        Assert.True(refused > 500 && identical < 10, $"{refused} refused, {identical} identical");
    }

    [Fact]
    public void Every_sector_that_reads_as_zeroes_or_as_another()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> sound = Sound(1, 3, 2, 4, 4, 3);
        foreach (string name in sound.Keys)
        {
            for (int at = 0; at < sound[name].Length; at += 512)
            {
                if (at is > 8_192 and < SegmentFormat.EntriesOffset)
                {
                    continue;
                }

                int length = Math.Min(512, sound[name].Length - at);
                byte[] zeroed = sound[name].ToArray();
                zeroed.AsSpan(at, length).Clear();
                Judge(sound, name, zeroed, 17, $"{name}: sector {at} zeroed");
                foreach (string other in sound.Keys.Where(o => o != name && sound[o].Length >= at + length))
                {
                    byte[] misdirected = sound[name].ToArray();
                    sound[other].Span.Slice(at, length).CopyTo(misdirected.AsSpan(at));
                    Judge(sound, name, misdirected, 17, $"{name}: sector {at} of {other}");
                }
            }
        }

        Assert.True(refused > 10, $"{refused} refused, {identical} identical");
    }

    [Fact]
    public void Every_file_that_vanishes()
    {
        foreach (string name in Sound(1, 3, 2, 4, 4, 3).Keys)
        {
            SortedDictionary<string, ReadOnlyMemory<byte>> without = Sound(1, 3, 2, 4, 4, 3);
            without.Remove(name);
            Assert.Throws<StorageCorruptException>(() => LogRig.Open(new ModelFolder(without), out _));
        }
    }

    [Fact]
    public void Every_byte_of_the_newest_snapshot_and_of_what_it_covers()
    {
        // Snapshots of 6 and 12; the entries behind 6 are in segments still.
        SortedDictionary<string, ReadOnlyMemory<byte>> sound = Sound(6, 0, 6, 0, 6, 1);
        Assert.Equal(2, sound.Keys.Count(static n => n.EndsWith(".snapshot", StringComparison.Ordinal)));
        string newest = LogNames.Snapshot(12);
        for (int at = 0; at < sound[newest].Length; at++)
        {
            byte[] bytes = sound[newest].ToArray();
            bytes[at] ^= 0x10;
            ModelFolder folder = new(Replaced(sound, newest, bytes));
            LogRig.Open(folder, out LogRecovery found).Dispose();
            LogRig.Check(found, 19, 19, $"{newest} at {at}");
            Assert.Equal(6ul, found.Snapshot!.Index);
            Assert.Single(found.Notes);
        }

        string covered = sound.Keys.First(static n => n.EndsWith(".segment", StringComparison.Ordinal));
        byte[] segment = sound[covered].ToArray();
        foreach (int at in MeaningfulOffsets(segment.Length))
        {
            segment[at] ^= 0x10;
            LogRig.Open(new ModelFolder(Replaced(sound, covered, segment)), out LogRecovery found).Dispose();
            LogRig.Check(found, 19, 19, $"{covered} at {at}");
            refused += found.Notes.Count;
            segment[at] ^= 0x10;
        }

        Assert.True(refused > 100, $"{refused} damages of a covered segment were told");
    }

    [Fact]
    public void An_entry_that_was_kept_after_a_crash_is_protected_from_then_on()
    {
        // The crash came between the sync and the identifier: the entry is there, and is shown from now on.
        ModelFolder folder = new();
        using (LogStore log = LogRig.Open(folder, out _))
        {
            LogRig.Append(log, folder, 3);
        }

        SortedDictionary<string, ReadOnlyMemory<byte>> crashed = folder.Image();
        string name = Assert.Single(crashed.Keys);
        byte[] bytes = crashed[name].ToArray();
        bytes.AsSpan(SegmentFormat.IdentifiersOffset + (2 * SegmentFormat.IdentifierBytes), SegmentFormat.IdentifierBytes).Clear();
        ModelFolder again = new(Replaced(crashed, name, bytes));
        LogRig.Open(again, out LogRecovery found).Dispose();
        LogRig.Check(found, 3, 3, "after the crash");

        byte[] damaged = again.Image()[name].ToArray();
        damaged[found.LastScan!.Offsets[2] + SegmentFormat.RecordHeaderBytes] ^= 1;
        StorageCorruptException refusal = Assert.Throws<StorageCorruptException>(
            () => LogRig.Open(new ModelFolder(Replaced(crashed, name, damaged)), out _));
        Assert.Contains($"{name} is damaged (offset {found.LastScan.Offsets[2]}: entry 3", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_entry_without_identifier_is_not_torn_if_a_later_batch_is_there()
    {
        ModelFolder folder = new();
        using (LogStore log = LogRig.Open(folder, out _))
        {
            LogRig.Append(log, folder, 2);
            LogRig.Append(log, folder, 1);
        }

        string name = Assert.Single(folder.Image().Keys);
        byte[] bytes = folder.Image()[name].ToArray();
        bytes.AsSpan(SegmentFormat.IdentifiersOffset, 4096).Clear();
        bytes[SegmentFormat.EntriesOffset + 3] ^= 1;
        StorageCorruptException refusal = Assert.Throws<StorageCorruptException>(
            () => LogRig.Open(new ModelFolder(Replaced(folder.Image(), name, bytes)), out _));
        Assert.Contains("entry 3 of a later batch", refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>Everything but zeroes between the regions, of which some are taken.</summary>
    private static IEnumerable<int> MeaningfulOffsets(int length)
    {
        for (int at = 0; at < length; at++)
        {
            bool used = at < 64 || at is >= SegmentFormat.SealOffset and < SegmentFormat.SealOffset + 32
                || at is >= SegmentFormat.IdentifiersOffset and < SegmentFormat.IdentifiersOffset + (8 * SegmentFormat.IdentifierBytes)
                || at >= SegmentFormat.EntriesOffset;
            if (used || at % 9_973 == 0)
            {
                yield return at;
            }
        }
    }

    private void Judge(SortedDictionary<string, ReadOnlyMemory<byte>> sound, string name, ReadOnlyMemory<byte> bytes, ulong last, string where)
    {
        ModelFolder folder = new(Replaced(sound, name, bytes));
        try
        {
            LogRig.Open(folder, out LogRecovery found).Dispose();
            LogRig.Check(found, last, last, where);
            identical++;
        }
        catch (StorageCorruptException refusal)
        {
            Assert.True(
                refusal.Message.StartsWith($"/model/log/{name} is damaged (", StringComparison.Ordinal)
                    || refusal.Message.StartsWith("/model/log/0000000", StringComparison.Ordinal),
                $"{where}: {refusal.Message}");
            Assert.Contains("offset ", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("`systemctl restart overlayd`", refusal.Message, StringComparison.Ordinal);
            Assert.Empty(folder.Journal);
            refused++;
        }

        folder.Release();
    }

    private static SortedDictionary<string, ReadOnlyMemory<byte>> Replaced(
        SortedDictionary<string, ReadOnlyMemory<byte>> sound, string name, ReadOnlyMemory<byte> bytes) =>
        new(sound, StringComparer.Ordinal) { [name] = bytes };
}
