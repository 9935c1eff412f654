namespace Overlay.Raft.Consensus;

/// <summary>
/// What the shell does after an input, in this order: hand <see cref="Writes"/> to the disk, send <see cref="Messages"/>
/// (all may go at once, whatever the writes do), then the rest. The caller clears it; it is used again and again.
/// </summary>
public sealed class RaftEffects
{
    private LogEntry[] memory = [];
    private int used;

    /// <summary>For the disk, ascending.</summary>
    public List<LogWrite> Writes { get; } = [];

    /// <summary>Their entries are valid until <see cref="Clear"/>: encode them, or keep <see cref="RaftMessage.Detached"/>.</summary>
    public List<RaftMessage> Messages { get; } = [];

    /// <summary>At most one, and none while another is being applied.</summary>
    public ApplyBatch? Apply { get; internal set; }

    public List<ReadResult> Reads { get; } = [];

    /// <summary>
    /// The installed snapshot of this mark is durable: load it into the state machine, then report
    /// <see cref="RaftCore.Applied"/> with its index.
    /// </summary>
    public SnapshotMark? Restore { get; internal set; }

    /// <summary>
    /// Messages of kind InstallSnapshot: stream the snapshot of that mark, or a newer one under its own mark and
    /// configuration, to the receiver, whose shell gives its core the message when it has all bytes. Report the end by
    /// <see cref="RaftCore.SnapshotSent"/>.
    /// </summary>
    public List<RaftMessage> SnapshotsWanted { get; } = [];

    /// <summary>Role, term or leader are others than before.</summary>
    public bool RoleChanged { get; internal set; }

    public bool ConfigurationChanged { get; internal set; }

    /// <summary>Not empty: stop the process.</summary>
    public List<Divergence> Diverged { get; } = [];

    public bool IsEmpty =>
        Writes.Count == 0 && Messages.Count == 0 && Apply is null && Reads.Count == 0 && Restore is null
        && SnapshotsWanted.Count == 0 && !RoleChanged && !ConfigurationChanged && Diverged.Count == 0;

    public void Clear()
    {
        Writes.Clear();
        Messages.Clear();
        Apply = null;
        Reads.Clear();
        Restore = null;
        SnapshotsWanted.Clear();
        RoleChanged = false;
        ConfigurationChanged = false;
        Diverged.Clear();

        // Entries' data must not be kept alive by what was sent long ago.
        memory.AsSpan(0, Math.Min(used, memory.Length)).Clear();
        used = 0;
    }

    /// <summary>Memory for a message's entries, until <see cref="Clear"/>.</summary>
    internal Memory<LogEntry> Rent(int count)
    {
        if (memory.Length - used < count)
        {
            // The messages that were made already keep the memory they are in.
            memory = new LogEntry[Math.Max(256, Math.Max(2 * memory.Length, count))];
            used = 0;
        }

        used += count;
        return memory.AsMemory(used - count, count);
    }
}
