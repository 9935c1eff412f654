namespace Overlay.Raft.Consensus;

/// <summary>
/// Committed and locally durable entries, in order and each once in a life of the core. The shell applies all of them and
/// answers <see cref="RaftCore.Applied"/>; until then there is no other batch. An error while applying stops the process.
/// </summary>
/// <param name="Entries">Of every kind. Valid until the last of them is reported.</param>
public readonly record struct ApplyBatch(ReadOnlyMemory<LogEntry> Entries);
