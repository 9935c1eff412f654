using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>
/// A manager's log on disk: segments of <see cref="SegmentFormat"/>, snapshots of <see cref="SnapshotFormat"/>, and term
/// and vote of <see cref="StateFormat"/>. <see cref="LogRecovery"/> decides what is in them; this does the writing, in the
/// order that the rules rest on. An append returns when the batch is durable. Used by one thread. Any failed write makes
/// it unusable: the process must end.
/// </summary>
internal sealed partial class LogStore : IDisposable
{
    private readonly ILogFolder folder;
    private LogOptions options;
    private readonly StateFiles states;
    private readonly List<SegmentExtent> closed = [];
    private readonly List<ulong> snapshots = [];
    private TermHistory terms = new();
    private SegmentWriter? segment;
    private ulong nextSegment = 1;
    private bool mustBeginSegment;
    private bool isDamaged;
    private string writing = "";
    private bool broken;

    private LogStore(ILogFolder folder, LogOptions options)
    {
        this.folder = folder;
        this.options = options;
        states = new(folder, options.Keys, options.Random);
    }

    public string Folder => folder.Path;

    /// <summary>Whose log it is; null: one manager's alone.</summary>
    public LogIdentity? Identity => options.Identity;

    public ulong LastIndex => terms.LastIndex;

    /// <summary>Of the last entry, or of the snapshot that ends there.</summary>
    public ulong LastTerm => terms.LastTerm;

    /// <summary>Identifiers were written since the last sync.</summary>
    public bool IsUnsettled => segment is { IsUnsettled: true };

    /// <summary>The newest snapshot's; 0: there is none.</summary>
    public ulong SnapshotIndex => snapshots.Count > 0 ? snapshots[0] : 0;

    /// <summary>Term and vote as they are on disk. Of one manager alone: none.</summary>
    public HardState State => states.Current?.Hard ?? default;

    /// <param name="found">What is in the log; the caller lets go of it when its state is built.</param>
    /// <exception cref="StorageCorruptException">Something acknowledged does not validate, or is missing.</exception>
    /// <exception cref="StorageLockedException">Another agent has it open.</exception>
    public static LogStore Open(string folder, out LogRecovery found) => OpenAs(new DiskFolder(folder), new LogOptions(), out found);

    /// <inheritdoc cref="Open(string, out LogRecovery)"/>
    public static LogStore Open(ILogFolder folder, LogLimits limits, out LogRecovery found) =>
        OpenAs(folder, new LogOptions { Limits = limits }, out found);

    /// <inheritdoc cref="Open(string, out LogRecovery)"/>
    /// <exception cref="MemberLostException">It is not known what this member voted for or acknowledged.</exception>
    /// <exception cref="StorageForeignException">It is another member's, or another cluster's.</exception>
    public static LogStore OpenAs(ILogFolder folder, LogOptions options, out LogRecovery found)
    {
        LogStore store = new(folder, options);
        try
        {
            found = store.Read();
            StateRecovery state = store.Judge(found);
            LogRecovery sound = found;
            store.Guarded(() => store.Take(sound, state));
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
        long floor = options.Limits.FreeBytesFloor;
        return free >= floor + needed
            ? null
            : $"The disk of {folder.Path} has {StorageText.Mebibytes(free)} left, and the manager's log needs {StorageText.Mebibytes(floor + needed)}.";
    }

    /// <summary>Makes term and vote durable.</summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void WriteState(HardState state) => Guarded(() =>
    {
        Invariant.Holds(states.Current is not null, "one manager alone votes for nobody");
        Invariant.Holds(state.Term >= State.Term, $"term {state.Term} is not below {State.Term}");
        writing = StateFiles.FileNames[0];
        states.Write(state);
    });

    /// <summary>
    /// Writes and syncs entries; when it returns nothing of them can be lost. Entries that are there from the first one's
    /// index on are void.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Append(IReadOnlyList<LogEntry> entries) => AppendAll(entries as LogEntry[] ?? [.. entries]);

    private void AppendAll(ReadOnlyMemory<LogEntry> entries) => Guarded(() =>
    {
        Invariant.Holds(!isDamaged, "nothing is appended to a log with damage");
        if (entries.Length > 0 && entries.Span[0].Index <= LastIndex)
        {
            Cut(entries.Span[0].Index);
        }

        for (int done = 0; done < entries.Length;)
        {
            ReadOnlySpan<LogEntry> rest = entries.Span[done..];
            Invariant.Holds(rest[0].Index == LastIndex + 1, $"entry {rest[0].Index} follows {LastIndex}");
            EnsureSegment(rest[0].Index);
            writing = segment!.Name;
            int written = segment.WriteBatch(rest, options.Limits);
            foreach (LogEntry entry in rest[..written])
            {
                terms.Add(entry.Index, entry.Term);
            }

            done += written;
        }
    });

    /// <summary>
    /// The entry and all behind it are void: a later leader never had them. They stay where they are; the segment that is
    /// begun now counts in their place.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void CutFrom(ulong index) => Guarded(() => Cut(index));

    /// <summary>
    /// Makes the last identifiers durable too, when nothing else is to be written: from then on damage to the last batch
    /// cannot be taken for a torn write, not even after a power failure.
    /// </summary>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public void Settle() => Guarded(() =>
    {
        if (segment is { IsUnsettled: true } open)
        {
            writing = open.Name;
            open.Settle();
        }
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

        segment?.Dispose();
        folder.Dispose();
    }

    private LogRecovery Read() => LogRecovery.From(
        folder.Names(),
        name => folder.Read(name, LogNames.TryReadSnapshot(name, out _) ? SnapshotFormat.MaxFileBytes : SegmentFormat.MaxFileBytes),
        options.Keys);

    /// <summary>Whether this may be opened at all; nothing is written yet.</summary>
    private StateRecovery Judge(LogRecovery found)
    {
        if (found.Fault is { } fault && (options.Identity is null || !options.AllowDamage || found.IsLost))
        {
            throw found.IsLost && options.Identity is not null
                ? new MemberLostException(folder.Path, fault.File, fault.Reason)
                : new StorageCorruptException(folder.Path, fault.File, fault.Reason);
        }

        return options.Identity is { } identity ? MemberStates.Judge(folder, identity, found, options.Keys) : new(null, [], false);
    }

    /// <summary>Mends what recovery found, and goes on where the log ends.</summary>
    private void Take(LogRecovery found, StateRecovery state)
    {
        // Names that a process before left may be in the kernel only, and what follows counts on them.
        writing = "";
        folder.Sync();
        TakeState(found, state);
        closed.AddRange(found.Closed);
        snapshots.AddRange(found.ValidSnapshots);
        nextSegment = found.NextSegment;
        terms = found.Terms.Copy();
        isDamaged = found.Damaged.Count > 0;
        Delete([.. folder.Names().Where(static name => name.EndsWith(LogNames.UnfinishedSuffix, StringComparison.Ordinal)), .. found.Obsolete]);
        foreach (SegmentFinding damaged in found.Segments.Where(static s => s.Scan is { IsHeaderDamaged: true }))
        {
            writing = damaged.Name;
            SegmentWriter.MendHeader(folder, damaged.Name, damaged.Scan!.Header);
        }

        if (found.ToSeal is { } unsealed)
        {
            writing = unsealed.Name;
            SegmentWriter.Seal(folder, unsealed.Name, unsealed.Salt, unsealed.Last);
        }

        if (found is { LastSegment: { } last, LastScan: { } scan } && !isDamaged)
        {
            writing = last;
            segment = SegmentWriter.Mend(folder, last, scan);
            mustBeginSegment = scan.Verdict == ScanVerdict.Corrupt || scan.Header.IsSingle || scan.Header.Member != Member
                || scan.Header.Key != 0 || options.Keys is not null;
        }
    }

    private void TakeState(LogRecovery found, StateRecovery state)
    {
        if (options.Identity is not { } identity)
        {
            return;
        }

        writing = StateFiles.FileNames[0];
        if (state.State is null)
        {
            states.Begin(new(identity, 1, new(found.Terms.LastTerm, MemberId.None)));
        }
        else
        {
            states.Take(state);
        }
    }

    private MemberId Member => options.Identity?.Member ?? MemberId.None;

    private void Cut(ulong index)
    {
        Invariant.Holds(index > SnapshotIndex, $"entry {index} is behind the snapshot of {SnapshotIndex}: it is not committed");
        if (index <= LastIndex)
        {
            terms.CutFrom(index);
            BeginSegment(index);
        }
    }

    private void EnsureSegment(ulong nextIndex)
    {
        if (segment is null || mustBeginSegment || segment.IsFull(options.Limits))
        {
            BeginSegment(nextIndex);
        }
    }

    private void BeginSegment(ulong firstIndex)
    {
        SegmentFormat.Header next = new(
            nextSegment, firstIndex, NewSalt(), terms.TermOf(firstIndex - 1), Member, options.Keys?.Current.Id ?? 0);
        writing = LogNames.Segment(next.Id, firstIndex);
        SegmentWriter made = SegmentWriter.Create(folder, next, options.Keys?.Of(next));
        for (int i = 0; i < closed.Count; i++)
        {
            closed[i] = closed[i] with { Last = Math.Min(closed[i].Last, firstIndex - 1) };
        }

        if (segment is { } before)
        {
            before.Dispose();
            segment = null;
            writing = before.Name;
            SegmentWriter.Seal(folder, before.Name, before.Header.Salt, before.LastIndex);
            closed.Add(new(before.Name, before.Header.FirstIndex, firstIndex - 1));
        }

        writing = made.Name;
        segment = made;
        nextSegment = next.Id + 1;
        mustBeginSegment = false;
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
