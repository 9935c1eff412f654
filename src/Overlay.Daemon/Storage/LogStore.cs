using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>A state machine's bytes up to an index.</summary>
internal sealed record LogSnapshot(ulong Index, ulong Term, ReadOnlyMemory<byte> Data);

/// <summary>
/// The manager's log on disk: segments of <see cref="SegmentFormat"/> and snapshots. An append returns when the batch
/// is durable. Used by one thread. Any failed write makes it unusable: the process must end.
/// </summary>
internal sealed class LogStore : IDisposable
{
    private const string SegmentPattern = "*.segment";
    private const string SnapshotPattern = "*.snapshot";
    private const int SegmentBytes = 16 << 20;
    private const int SnapshotsKept = 2;
    private const int SnapshotHeaderBytes = 32;
    private const long FreeSpaceFloor = 16 << 20;
    private const ulong SnapshotMagic = 0x31504E53_44564F;

    private readonly string folder;
    private readonly SafeFileHandle folderLock;
    private readonly List<(string Path, SegmentFormat.Header Header, ulong Last)> sealedSegments = [];
    private SafeFileHandle? file;
    private string path = "";
    private SegmentFormat.Header header;
    private long end;
    private ulong lastIndex;
    private ulong lastSegment;
    private bool broken;

    private LogStore(string folder, SafeFileHandle folderLock)
    {
        this.folder = folder;
        this.folderLock = folderLock;
    }

    /// <summary>The newest snapshot that validates; null: none was taken.</summary>
    public LogSnapshot? Snapshot { get; private set; }

    /// <summary>Entries found at opening, in order.</summary>
    public IReadOnlyList<LogEntry> Entries { get; private set; } = [];

    /// <summary>What was found unfinished at opening and cut off, in words; empty: nothing.</summary>
    public string Recovered { get; private set; } = "";

    public ulong LastIndex => lastIndex;

    /// <exception cref="StorageCorruptException">Something acknowledged does not validate.</exception>
    public static LogStore Open(string folder)
    {
        Directory.CreateDirectory(folder, DurableFile.PrivateFolder);
        SafeFileHandle folderLock = File.OpenHandle(
            Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        LogStore store = new(folder, folderLock);
        try
        {
            store.Recover();
            return store;
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Writes and syncs a batch; when it returns nothing of it can be lost.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Append(IReadOnlyList<LogEntry> entries)
    {
        Invariant.Holds(!broken, "a log whose write failed is not written again");
        if (entries.Count == 0)
        {
            return;
        }

        Invariant.Holds(entries[0].Index == lastIndex + 1, $"entry {entries[0].Index} follows {lastIndex}");
        try
        {
            EnsureRoom(entries);
            WriteBatch(entries);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            broken = true;
            throw new StorageWriteException(path, e.Message, e);
        }
    }

    /// <summary>Makes a snapshot durable, then drops what the older of the two newest snapshots covers.</summary>
    public void SaveSnapshot(ulong index, ulong term, ReadOnlyMemory<byte> data)
    {
        Invariant.Holds(!broken && index <= lastIndex, "a snapshot covers what the log holds");
        byte[] bytes = new byte[SnapshotHeaderBytes + data.Length];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, SnapshotMagic);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(8), index);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), term);
        data.Span.CopyTo(bytes.AsSpan(SnapshotHeaderBytes));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24), Crc32C.Of(bytes.AsSpan(SnapshotHeaderBytes), Crc32C.Of(bytes.AsSpan(0, 24))));
        try
        {
            DurableFile.WriteAtomically(Path.Combine(folder, $"{index:D20}.snapshot"), bytes);
            DropCovered();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            broken = true;
            throw e as StorageWriteException ?? new StorageWriteException(folder, e.Message, e);
        }

        Snapshot = new(index, term, data);
    }

    public void Dispose()
    {
        file?.Dispose();
        folderLock.Dispose();
    }

    private void WriteBatch(IReadOnlyList<LogEntry> entries)
    {
        int total = entries.Sum(static e => SegmentFormat.RecordBytes(e.Data.Length));
        byte[] records = ArrayPool<byte>.Shared.Rent(total);
        byte[] identifiers = ArrayPool<byte>.Shared.Rent(entries.Count * SegmentFormat.IdentifierBytes);
        try
        {
            int at = 0;
            for (int i = 0; i < entries.Count; i++)
            {
                int length = SegmentFormat.WriteRecord(records.AsSpan(at), entries[i], header.Salt);
                SegmentFormat.WriteIdentifier(
                    identifiers.AsSpan(i * SegmentFormat.IdentifierBytes),
                    new(entries[i].Index, entries[i].Term, (uint)(end + at), (uint)entries[i].Data.Length), header.Salt);
                at += length;
            }

            RandomAccess.Write(file!, records.AsSpan(0, total), end);
            RandomAccess.FlushToDisk(file!);
            // Only now: an identifier says that its entry is durable. The next sync, or the system, makes it so itself.
            long slot = (long)(entries[0].Index - header.FirstIndex);
            RandomAccess.Write(
                file!, identifiers.AsSpan(0, entries.Count * SegmentFormat.IdentifierBytes),
                SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes));
            end += total;
            lastIndex = entries[^1].Index;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(records);
            ArrayPool<byte>.Shared.Return(identifiers);
        }
    }

    private void EnsureRoom(IReadOnlyList<LogEntry> entries)
    {
        long free = new DriveInfo(folder).AvailableFreeSpace;
        if (free < FreeSpaceFloor)
        {
            throw new IOException($"only {free >> 20} MiB are free on its disk, and {FreeSpaceFloor >> 20} MiB are kept for recovery");
        }

        if (file is null || end > SegmentBytes
            || entries[^1].Index - header.FirstIndex >= SegmentFormat.MaxEntries)
        {
            StartSegment(entries[0].Index);
        }

        Invariant.Holds(entries[^1].Index - header.FirstIndex < SegmentFormat.MaxEntries, "a batch fits a segment");
    }

    private void StartSegment(ulong firstIndex)
    {
        if (file is not null)
        {
            sealedSegments.Add((path, header, lastIndex));
            RandomAccess.FlushToDisk(file);
            file.Dispose();
        }

        header = new(++lastSegment, firstIndex, BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)));
        path = Path.Combine(folder, $"{header.Id:D10}-{firstIndex:D20}.segment");
        Span<byte> bytes = stackalloc byte[SegmentFormat.HeaderBytes];
        SegmentFormat.WriteHeader(bytes, header);
        string temporary = path + ".tmp";
        using (SafeFileHandle made = DurableFile.Create(temporary))
        {
            RandomAccess.Write(made, bytes, 0);
            RandomAccess.SetLength(made, SegmentFormat.EntriesOffset);
            RandomAccess.FlushToDisk(made);
        }

        File.Move(temporary, path);
        DurableFile.SyncFolder(folder);
        file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        end = SegmentFormat.EntriesOffset;
    }

    private void Recover()
    {
        foreach (string unfinished in Directory.EnumerateFiles(folder, "*.tmp"))
        {
            File.Delete(unfinished);
        }

        LoadSnapshot();
        List<LogEntry> entries = [];
        string[] segments = [.. Directory.EnumerateFiles(folder, SegmentPattern).Order(StringComparer.Ordinal)];
        for (int i = 0; i < segments.Length; i++)
        {
            RecoverSegment(segments[i], last: i == segments.Length - 1, entries);
        }

        ulong covered = Snapshot?.Index ?? 0;
        if (entries.Count > 0 && entries[0].Index > covered + 1)
        {
            throw new StorageCorruptException(folder, $"entries {covered + 1} to {entries[0].Index - 1} are missing");
        }

        lastIndex = Math.Max(lastIndex, covered);
        Entries = entries;
    }

    private void RecoverSegment(string segment, bool last, List<LogEntry> entries)
    {
        byte[] bytes = File.ReadAllBytes(segment);
        SegmentScan scan = SegmentScan.Of(bytes);
        if (scan.Verdict == ScanVerdict.Corrupt || (scan.Verdict == ScanVerdict.Torn && !last))
        {
            throw new StorageCorruptException(segment, scan.Fault);
        }

        if (entries.Count > 0 && scan.Header.FirstIndex != entries[^1].Index + 1)
        {
            throw new StorageCorruptException(
                segment, $"it begins with entry {scan.Header.FirstIndex}, but the one before ends with {entries[^1].Index}");
        }

        entries.AddRange(scan.Entries);
        lastSegment = scan.Header.Id;
        lastIndex = scan.Entries.Count > 0 ? scan.Entries[^1].Index : scan.Header.FirstIndex - 1;
        if (!last)
        {
            sealedSegments.Add((segment, scan.Header, lastIndex));
            return;
        }

        path = segment;
        header = scan.Header;
        end = scan.End;
        file = File.OpenHandle(segment, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        if (scan.Verdict == ScanVerdict.Torn)
        {
            Recovered = $"{segment}: {scan.Fault}; it was cut off";
            RandomAccess.SetLength(file, end);
        }

        // What a crashed process wrote may be in memory only; from here on it counts as durable.
        RandomAccess.FlushToDisk(file);
    }

    private void LoadSnapshot()
    {
        string[] snapshots = [.. Directory.EnumerateFiles(folder, SnapshotPattern).OrderDescending(StringComparer.Ordinal)];
        foreach (string candidate in snapshots)
        {
            byte[] bytes = File.ReadAllBytes(candidate);
            if (bytes.Length >= SnapshotHeaderBytes && BinaryPrimitives.ReadUInt64LittleEndian(bytes) == SnapshotMagic
                && BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(24))
                    == Crc32C.Of(bytes.AsSpan(SnapshotHeaderBytes), Crc32C.Of(bytes.AsSpan(0, 24))))
            {
                Snapshot = new(
                    BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(8)), BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(16)),
                    bytes.AsMemory(SnapshotHeaderBytes));
                return;
            }

            // The log still begins at the older snapshot, so nothing is lost by the newer one; the operator is told.
            Recovered = $"{candidate} does not validate; an older snapshot is used";
        }

        if (snapshots.Length > 0)
        {
            throw new StorageCorruptException(snapshots[0], "no snapshot validates");
        }
    }

    private void DropCovered()
    {
        string[] snapshots = [.. Directory.EnumerateFiles(folder, SnapshotPattern).OrderDescending(StringComparer.Ordinal)];
        foreach (string old in snapshots.Skip(SnapshotsKept))
        {
            File.Delete(old);
        }

        if (snapshots.Length < SnapshotsKept)
        {
            return;
        }

        ulong covered = ulong.Parse(
            Path.GetFileNameWithoutExtension(snapshots[SnapshotsKept - 1]), NumberStyles.None, CultureInfo.InvariantCulture);
        foreach ((string segment, _, ulong last) in sealedSegments.Where(s => s.Last <= covered).ToArray())
        {
            File.Delete(segment);
            sealedSegments.RemoveAll(s => s.Path == segment);
        }

        DurableFile.SyncFolder(folder);
    }
}
