namespace Overlay.Raft.Consensus;

/// <summary>
/// What the shell makes durable, strictly in the order of the numbers, before it calls
/// <see cref="RaftCore.Completed"/>. A crash inside must leave a prefix of: <see cref="State"/>, then <see cref="Install"/>,
/// then <see cref="TruncateFrom"/> with <see cref="Entries"/> in ascending order.
/// </summary>
/// <param name="Number">1 and up, without gaps. Completing one completes all before it.</param>
/// <param name="State">Replaces term and vote.</param>
/// <param name="TruncateFrom">Durable or written entries from this index on are void; 0: none are.</param>
/// <param name="Entries">Without gaps, behind everything that is left. Valid until the write is completed.</param>
/// <param name="Install">
/// The received snapshot of this mark replaces the whole log: entries before are void, the next one is at its index + 1.
/// </param>
public readonly record struct LogWrite(
    ulong Number, HardState? State, ulong TruncateFrom, ReadOnlyMemory<LogEntry> Entries, SnapshotMark? Install);
