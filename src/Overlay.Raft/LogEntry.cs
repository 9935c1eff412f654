namespace Overlay.Raft;

/// <summary>One entry of the replicated log: opaque bytes at a place.</summary>
/// <param name="Index">1 and up, without gaps.</param>
/// <param name="Term">The leader's term that proposed it.</param>
public readonly record struct LogEntry(ulong Index, ulong Term, EntryKind Kind, ReadOnlyMemory<byte> Data)
{
    /// <summary>A command of the state machine.</summary>
    public LogEntry(ulong index, ulong term, ReadOnlyMemory<byte> data)
        : this(index, term, EntryKind.Data, data)
    {
    }
}
