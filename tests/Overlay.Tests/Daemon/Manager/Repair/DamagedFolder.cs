using System.Text;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Daemon.Manager.Repair;

/// <summary>The folder of one of three managers: a snapshot of entry 2, and entries 3 to 10 in segments of three.</summary>
internal static class DamagedFolder
{
    public const string Cluster = "c1";
    public static readonly MemberId Self = new(11);
    public static readonly MemberId Second = new(22);
    public static readonly MemberId Third = new(33);
    public static readonly Overlay.Raft.Configuration Three = Overlay.Raft.Configuration.OfVoters(Self, Second, Third);

    private static readonly LogLimits Limits = new() { SegmentEntries = 3 };

    public static LogEntry Entry(ulong index) => new(index, 2, Encoding.ASCII.GetBytes($"the text of entry {index}"));

    public static LogStore Open(ModelFolder folder, out LogRecovery found) => LogStore.OpenAs(
        folder, new() { Identity = new(Cluster, Self), AllowDamage = true, Limits = Limits }, out found);

    public static SortedDictionary<string, ReadOnlyMemory<byte>> Whole()
    {
        ModelFolder folder = new();
        using LogStore log = Open(folder, out _);
        log.WriteState(new(2, Second));
        log.Append([Entry(1), Entry(2)]);
        log.SaveSnapshot(new(2, 2, Encoding.ASCII.GetBytes("the state")) { Configuration = Three });
        for (ulong index = 3; index <= 10; index++)
        {
            log.Append([Entry(index)]);
        }

        log.Settle();
        return folder.Image();
    }

    /// <summary>The same, with a bit flipped in each of these entries.</summary>
    public static SortedDictionary<string, ReadOnlyMemory<byte>> Damaged(params ulong[] indexes)
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> files = Whole();
        foreach (ulong index in indexes)
        {
            string name = files.Keys.Last(n => LogNames.TryReadSegment(n, out _, out ulong first) && first <= index);
            byte[] bytes = files[name].ToArray();
            SegmentScan scan = SegmentScan.Of(bytes);
            bytes[scan.Offsets[(int)(index - scan.Header.FirstIndex)] + SegmentFormat.RecordHeaderBytes + 3] ^= 8;
            files[name] = bytes;
        }

        return files;
    }

    public static string[] Texts(LogRecovery found) =>
        [.. found.Entries.Where(static e => e.Index > 2).Select(static e => Encoding.ASCII.GetString(e.Data.Span))];

    public static string[] TextsTo(ulong last) => [.. Enumerable.Range(3, (int)last - 2).Select(static i => $"the text of entry {i}")];
}
