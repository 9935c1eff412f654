using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>Random schedules of appends, snapshots, kills, power failures and damage, against a model of what was said.</summary>
public sealed class LogScheduleTests
{
    private readonly SortedDictionary<string, int> seen = new(StringComparer.Ordinal);

    [Fact]
    public void Nothing_is_lost_invented_or_skipped_whatever_happens()
    {
        for (ulong seed = 1; seed <= 60; seed++)
        {
            Run(seed);
        }

        string[] expected =
        [
            "append", "crash while mending", "damage harmless", "damage refused", "damage told", "deleted segment", "kill", "power failure",
            "snapshot", "torn",
        ];
        Assert.Equal(expected, seen.Keys);
        Assert.All(seen.Values, static count => Assert.True(count > 3));
    }

    private void Run(ulong seed)
    {
        Prng prng = new(seed);
        LogLimits limits = LogRig.Small with { SegmentEntries = 2 + prng.Next(6), BatchBytes = 60 + prng.Next(300) };
        SortedDictionary<string, ReadOnlyMemory<byte>> disk = new(StringComparer.Ordinal);
        (ulong Acknowledged, ulong Begun) said = (0, 0);
        for (int life = 0; life < 8; life++)
        {
            string where = $"seed {seed}, life {life}";
            Harm(disk, limits, said, prng, where);
            ModelFolder folder = new(disk);
            LogStore log = LogStore.Open(folder, limits, out LogRecovery found);
            LogRig.Check(found, said.Acknowledged, said.Begun, where);
            Count("torn", found.LastScan?.Verdict == ScanVerdict.Torn);
            int mended = folder.Journal.Count;
            said = (found.LastIndex, found.LastIndex);
            Live(log, folder, prng);
            log.Dispose();
            (disk, said) = Crash(disk, folder, said, mended, prng);
            folder.Release();
        }
    }

    private void Live(LogStore log, ModelFolder folder, Prng prng)
    {
        for (int step = prng.Next(8); step > 0; step--)
        {
            if (prng.Chance(0.3) && log.LastIndex > log.SnapshotIndex)
            {
                LogRig.TakeSnapshot(log);
                Count("snapshot", true);
            }
            else
            {
                LogRig.Append(log, folder, 1 + prng.Next(5));
                Count("append", true);
            }
        }

        Count("deleted segment", folder.Journal.OfType<DiskOperation.Delete>().Any(static d => d.Name.EndsWith(".segment", StringComparison.Ordinal)));
    }

    /// <summary>Everything stops somewhere in what this life wrote.</summary>
    private (SortedDictionary<string, ReadOnlyMemory<byte>> Disk, (ulong Acknowledged, ulong Begun) Said) Crash(
        SortedDictionary<string, ReadOnlyMemory<byte>> before, ModelFolder folder, (ulong Acknowledged, ulong Begun) said, int mended, Prng prng)
    {
        CrashModel model = new(before, prng);
        int last = prng.Chance(0.3) ? folder.Journal.Count : prng.Next(folder.Journal.Count + 1);
        for (int i = 0; i < last; i++)
        {
            said = folder.Journal[i] switch
            {
                DiskOperation.Mark { Text: "begin" } mark => (said.Acknowledged, mark.Index),
                DiskOperation.Mark mark => (mark.Index, said.Begun),
                _ => said,
            };
            model.Apply(folder.Journal[i]);
        }

        Count("crash while mending", last > 0 && last < mended);
        bool power = prng.Chance(0.5);
        Count(power ? "power failure" : "kill", true);
        DiskOperation.Write? next = last < folder.Journal.Count ? folder.Journal[last] as DiskOperation.Write : null;
        SortedDictionary<string, ReadOnlyMemory<byte>> image = power
            ? model.AfterPowerFailure()
            : model.AfterKill(next, next is null ? 0 : prng.Next(next.Bytes.Length));
        return (image, said);
    }

    /// <summary>
    /// One damaged byte, in a copy. What the last start has shown is protected by identifiers; of what was written since,
    /// the last batch may have none yet, so that damage there, on top of the crash, could not be told from it.
    /// </summary>
    private void Harm(
        SortedDictionary<string, ReadOnlyMemory<byte>> disk, LogLimits limits, (ulong Acknowledged, ulong Begun) said, Prng prng, string where)
    {
        ModelFolder mended = new(disk);
        LogStore.Open(mended, limits, out LogRecovery shown).Dispose();
        SortedDictionary<string, ReadOnlyMemory<byte>> copy = mended.Image();
        string[] names = [.. copy.Keys.Where(static n => !n.EndsWith(".tmp", StringComparison.Ordinal))];
        if (names.Length == 0)
        {
            return;
        }

        LogRig.Check(shown, said.Acknowledged, said.Begun, where);
        string name = names[prng.Next(names.Length)];
        byte[] bytes = copy[name].ToArray();
        int at = bytes.Length <= SegmentFormat.EntriesOffset || prng.Chance(0.2)
            ? prng.Next(Math.Min(bytes.Length, SegmentFormat.IdentifiersOffset + 256))
            : SegmentFormat.EntriesOffset + prng.Next(bytes.Length - SegmentFormat.EntriesOffset);
        bytes[at] ^= (byte)(1 << prng.Next(8));
        copy[name] = bytes;
        try
        {
            LogStore.Open(new ModelFolder(copy), limits, out LogRecovery found).Dispose();
            LogRig.Check(found, shown.LastIndex, shown.LastIndex, $"{where}, {name} damaged at {at}");
            Count(found.Notes.Count > 0 ? "damage told" : "damage harmless", true);
        }
        catch (StorageCorruptException)
        {
            Count("damage refused", true);
        }

        mended.Release();
    }

    private void Count(string what, bool happened)
    {
        if (happened)
        {
            seen[what] = seen.GetValueOrDefault(what) + 1;
        }
    }
}
