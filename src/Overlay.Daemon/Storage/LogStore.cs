using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>
/// The manager's log on disk: segments of <see cref="SegmentFormat"/> and snapshots of <see cref="SnapshotFormat"/>.
/// <see cref="LogRecovery"/> decides what is in them; this does the writing, in the order that the rules rest on. An
/// append returns when the batch is durable. Used by one thread. Any failed write makes it unusable: the process must
/// end.
/// </summary>
internal sealed class LogStore : IDisposable
{
    private const int ZeroesAtOnce = 64 << 10;

    private readonly ILogFolder folder;
    private readonly LogLimits limits;
    private readonly List<SegmentExtent> closed = [];
    private readonly List<ulong> snapshots = [];
    private ILogFile? file;
    private string path = "";
    private SegmentFormat.Header header;
    private long end;
    private string writing = "";
    private bool broken;

    private LogStore(ILogFolder folder, LogLimits limits)
    {
        this.folder = folder;
        this.limits = limits;
    }

    public string Folder => folder.Path;

    public ulong LastIndex { get; private set; }

    /// <summary>Identifiers were written since the last sync.</summary>
    public bool IsUnsettled { get; private set; }

    /// <summary>The newest snapshot's; 0: there is none.</summary>
    public ulong SnapshotIndex => snapshots.Count > 0 ? snapshots[0] : 0;

    /// <param name="found">What is in the log; the caller lets go of it when its state is built.</param>
    /// <exception cref="StorageCorruptException">Something acknowledged does not validate, or is missing.</exception>
    /// <exception cref="StorageLockedException">Another agent has it open.</exception>
    public static LogStore Open(string folder, out LogRecovery found) => Open(new DiskFolder(folder), new(), out found);

    /// <inheritdoc cref="Open(string, out LogRecovery)"/>
    public static LogStore Open(ILogFolder folder, LogLimits limits, out LogRecovery found)
    {
        LogStore store = new(folder, limits);
        try
        {
            found = LogRecovery.From(
                folder.Names(),
                name => folder.Read(name, LogNames.TryReadSnapshot(name, out _) ? SnapshotFormat.MaxFileBytes : SegmentFormat.MaxFileBytes));
            if (found.Fault is { } fault)
            {
                throw new StorageCorruptException(folder.Path, fault.File, fault.Reason);
            }

            LogRecovery sound = found;
            store.Guarded(() => store.Take(sound));
            return store;
        }
        catch
        {
            store.broken = true;
            store.Dispose();
            throw;
        }
    }

    /// <summary>Why nothing should be written now, as a sentence; null: there is room.</summary>
    public string? Shortage(long needed = 0)
    {
        long free = folder.FreeBytes;
        long floor = limits.FreeBytesFloor;
        return free >= floor + needed
            ? null
            : $"The disk of {folder.Path} has {StorageText.Mebibytes(free)} left, and the manager's log needs {StorageText.Mebibytes(floor + needed)}.";
    }

    /// <summary>Writes and syncs entries; when it returns nothing of them can be lost.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Append(IReadOnlyList<LogEntry> entries) => Guarded(() =>
    {
        for (int done = 0; done < entries.Count;)
        {
            Invariant.Holds(entries[done].Index == LastIndex + 1, $"entry {entries[done].Index} follows {LastIndex}");
            EnsureSegment(entries[done].Index);
            done += WriteBatch(entries, done);
        }
    });

    /// <summary>
    /// Makes the last identifiers durable too, when nothing else is to be written: from then on damage to the last batch
    /// cannot be taken for a torn write, not even after a power failure.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Settle() => Guarded(() =>
    {
        if (IsUnsettled)
        {
            writing = path;
            file!.Sync();
            IsUnsettled = false;
        }
    });

    /// <summary>Makes a snapshot durable, then deletes what is kept no longer.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void SaveSnapshot(LogSnapshot snapshot) => Guarded(() =>
    {
        Invariant.Holds(snapshot.Index <= LastIndex && snapshot.Index > SnapshotIndex, "a snapshot is newer, and of what the log holds");
        string name = LogNames.Snapshot(snapshot.Index);
        writing = name;
        using (ILogFile made = folder.Create(name + LogNames.UnfinishedSuffix))
        {
            made.Write(0, SnapshotFormat.Write(snapshot));
            made.Sync();
        }

        folder.Rename(name + LogNames.UnfinishedSuffix, name);
        folder.Sync();
        snapshots.Insert(0, snapshot.Index);
        Delete(LogRetention.Obsolete(snapshots, PresentSnapshots(), closed));
    });

    public void Dispose()
    {
        try
        {
            if (!broken)
            {
                Settle();
            }
        }
        catch (StorageWriteException)
        {
            // All that was acknowledged is durable already.
        }

        file?.Dispose();
        folder.Dispose();
    }

    /// <summary>Mends what recovery found, and goes on where the log ends.</summary>
    private void Take(LogRecovery found)
    {
        closed.AddRange(found.Closed);
        snapshots.AddRange(found.ValidSnapshots);
        LastIndex = found.LastIndex;
        Delete([.. folder.Names().Where(static name => name.EndsWith(LogNames.UnfinishedSuffix, StringComparison.Ordinal)), .. found.Obsolete]);
        if (found.ToSeal is { } unsealed)
        {
            Seal(unsealed.Name, unsealed.Salt, unsealed.Last);
        }

        if (found is { LastSegment: { } last, LastScan: { } scan })
        {
            path = last;
            writing = last;
            header = scan.Header;
            end = scan.End;
            file = folder.Open(last);
            Mend(file, scan);
        }
    }

    /// <summary>
    /// Cuts off what is torn, and makes durable what has no identifier yet before it gets one. Those entries are
    /// written again, because after a sync that failed the kernel calls pages clean that never reached the disk.
    /// </summary>
    private void Mend(ILogFile segment, SegmentScan scan)
    {
        if (scan.Verdict == ScanVerdict.Torn)
        {
            segment.SetLength(end);
        }

        foreach (int slot in scan.Unidentified)
        {
            // The very same bytes: if this write is torn, nothing changes.
            segment.Write(scan.Offsets[slot], scan.RecordOf(slot).Span);
        }

        segment.Sync();
        byte[] identifier = new byte[SegmentFormat.IdentifierBytes];
        foreach (int slot in scan.Unidentified)
        {
            LogEntry entry = scan.Entries[slot];
            SegmentFormat.WriteIdentifier(
                identifier, new(entry.Index, entry.Term, (uint)scan.Offsets[slot], (uint)entry.Data.Length), header.Salt);
            segment.Write(SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes), identifier);
        }

        if (scan.Unidentified.Count > 0)
        {
            segment.Sync();
        }
    }

    /// <returns>How many entries were written.</returns>
    private int WriteBatch(IReadOnlyList<LogEntry> entries, int first)
    {
        int total = SegmentFormat.RecordBytes(entries[first].Data.Length);
        int count = 1;
        int most = Math.Min(entries.Count - first, (int)(limits.SegmentEntries - (long)(entries[first].Index - header.FirstIndex)));
        while (count < most && SegmentFormat.RecordBytes(entries[first + count].Data.Length) is var next && total + next <= limits.BatchBytes)
        {
            total += next;
            count++;
        }

        byte[] records = ArrayPool<byte>.Shared.Rent(total);
        byte[] identifiers = ArrayPool<byte>.Shared.Rent(count * SegmentFormat.IdentifierBytes);
        try
        {
            int at = 0;
            for (int place = 0; place < count; place++)
            {
                LogEntry entry = entries[first + place];
                int length = SegmentFormat.WriteRecord(records.AsSpan(at), entry, place, header.Salt);
                SegmentFormat.WriteIdentifier(
                    identifiers.AsSpan(place * SegmentFormat.IdentifierBytes),
                    new(entry.Index, entry.Term, (uint)(end + at), (uint)entry.Data.Length), header.Salt);
                at += length;
            }

            file!.Write(end, records.AsSpan(0, total));
            file.Sync();
            // Only now: an identifier says that its entry is durable. The next sync, or Settle, makes it so itself.
            long slot = (long)(entries[first].Index - header.FirstIndex);
            file.Write(
                SegmentFormat.IdentifiersOffset + (slot * SegmentFormat.IdentifierBytes),
                identifiers.AsSpan(0, count * SegmentFormat.IdentifierBytes));
            IsUnsettled = true;
            end += total;
            LastIndex = entries[first + count - 1].Index;
            return count;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(records);
            ArrayPool<byte>.Shared.Return(identifiers);
        }
    }

    private void EnsureSegment(ulong nextIndex)
    {
        if (file is not null && end <= limits.SegmentBytes && nextIndex - header.FirstIndex < (ulong)limits.SegmentEntries)
        {
            return;
        }

        ulong id = file is null ? 1 : header.Id + 1;
        SegmentFormat.Header next = new(id, nextIndex, BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8)));
        string name = LogNames.Segment(id, nextIndex);
        writing = name;
        CreateSegment(name, next);
        if (file is not null)
        {
            // After the successor is durable: a seal without one means that it vanished.
            file.Dispose();
            file = null;
            Seal(path, header.Salt, LastIndex);
            closed.Add(new(path, header.FirstIndex, LastIndex));
        }

        writing = name;
        file = folder.Open(name);
        path = name;
        header = next;
        end = SegmentFormat.EntriesOffset;
    }

    /// <summary>Zeroes are written, not skipped: later an identifier needs no room that a full disk does not have.</summary>
    private void CreateSegment(string name, SegmentFormat.Header next)
    {
        byte[] bytes = new byte[ZeroesAtOnce];
        SegmentFormat.WriteHeader(bytes, next);
        using (ILogFile made = folder.Create(name + LogNames.UnfinishedSuffix))
        {
            for (int at = 0; at < SegmentFormat.EntriesOffset; at += bytes.Length)
            {
                made.Write(at, bytes);
                bytes.AsSpan(0, SegmentFormat.HeaderBytes).Clear();
            }

            made.Sync();
        }

        folder.Rename(name + LogNames.UnfinishedSuffix, name);
        folder.Sync();
    }

    private void Seal(string name, ulong salt, ulong last)
    {
        writing = name;
        byte[] seal = new byte[SegmentFormat.SealBytes];
        SegmentFormat.WriteSeal(seal, last, salt);
        using ILogFile segment = folder.Open(name);
        segment.Write(SegmentFormat.SealOffset, seal);
        segment.Sync();
    }

    private List<ulong> PresentSnapshots()
    {
        List<ulong> present = [];
        foreach (string name in folder.Names())
        {
            if (LogNames.TryReadSnapshot(name, out ulong index))
            {
                present.Add(index);
            }
        }

        return present;
    }

    private void Delete(IReadOnlyList<string> names)
    {
        foreach (string name in names)
        {
            writing = name;
            folder.Delete(name);
            closed.RemoveAll(segment => segment.Name == name);
        }

        if (names.Count > 0)
        {
            folder.Sync();
            snapshots.RemoveRange(Math.Min(snapshots.Count, LogRetention.SnapshotsKept), Math.Max(0, snapshots.Count - LogRetention.SnapshotsKept));
        }
    }

    private void Guarded(Action write)
    {
        Invariant.Holds(!broken, "a log whose write failed is not written again");
        try
        {
            write();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            broken = true;
            throw new StorageWriteException(writing.Length > 0 ? Path.Combine(folder.Path, writing) : folder.Path, e);
        }
        catch
        {
            broken = true;
            throw;
        }
    }
}
