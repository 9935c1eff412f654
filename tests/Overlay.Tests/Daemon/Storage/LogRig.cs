using System.Globalization;
using System.Text;
using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>Entries and snapshots whose bytes follow from their index, so that whatever is read back can be judged.</summary>
internal static class LogRig
{
    /// <summary>Small: a few entries fill a segment, and a batch of the caller takes several syncs.</summary>
    public static readonly LogLimits Small = new() { SegmentBytes = SegmentFormat.EntriesOffset + 300, SegmentEntries = 6, BatchBytes = 180 };

    public static LogEntry Entry(ulong index)
    {
        byte[] data = new byte[(int)(index * 7 % 40)];
        new Prng(index).Fill(data);
        return new(index, 1 + (index / 10), data);
    }

    public static LogSnapshot Snapshot(ulong index) =>
        new(index, 1 + (index / 10), Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"all up to {index}")));

    public static LogStore Open(ILogFolder folder, out LogRecovery found) => LogStore.Open(folder, Small, out found);

    /// <summary>Appends the next entries in one call, with marks around.</summary>
    public static void Append(LogStore log, ModelFolder folder, int count)
    {
        ulong last = log.LastIndex + (ulong)count;
        folder.Mark("begin", last);
        log.Append([.. Enumerable.Range(1, count).Select(i => Entry(log.LastIndex + (ulong)i))]);
        folder.Mark("acknowledged", last);
    }

    public static void TakeSnapshot(LogStore log) => log.SaveSnapshot(Snapshot(log.LastIndex));

    /// <summary>
    /// Nothing acknowledged is lost, nothing that was not asked for is there, and every byte is as it was given.
    /// </summary>
    public static void Check(LogRecovery found, ulong acknowledged, ulong begun, string where)
    {
        ulong covered = found.Snapshot?.Index ?? 0;
        Assert.True(found.LastIndex >= acknowledged, $"{where}: {acknowledged} was acknowledged, {found.LastIndex} is there");
        Assert.True(found.LastIndex <= begun, $"{where}: {begun} was the last, {found.LastIndex} is there");
        Assert.True(covered + (ulong)found.Entries.Count == found.LastIndex, $"{where}: {covered} and {found.Entries.Count} entries");
        if (found.Snapshot is { } snapshot)
        {
            Assert.True(Same(snapshot.Data, Snapshot(covered).Data) && snapshot.Term == Snapshot(covered).Term, $"{where}: snapshot {covered}");
        }

        for (int i = 0; i < found.Entries.Count; i++)
        {
            LogEntry wanted = Entry(covered + (ulong)i + 1);
            LogEntry read = found.Entries[i];
            Assert.True(
                read.Index == wanted.Index && read.Term == wanted.Term && Same(read.Data, wanted.Data), $"{where}: entry {wanted.Index} differs");
        }
    }

    private static bool Same(ReadOnlyMemory<byte> a, ReadOnlyMemory<byte> b) => a.Span.SequenceEqual(b.Span);
}
