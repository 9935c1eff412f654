using Overlay.Raft;

namespace Overlay.Simulation.Raft;

/// <summary>
/// Every entry that anybody ever wrote, with the term of the one before. As an index and a term name one entry with one
/// predecessor, two logs that agree on an entry agree on all before it (log matching, by induction).
/// </summary>
internal sealed class EntryRegister
{
    private readonly Dictionary<(ulong Index, ulong Term), (LogEntry Entry, ulong Before)> known = [];

    public LogEntry this[ulong index, ulong term] => known[(index, term)].Entry;

    public bool Contains(ulong index, ulong term) => known.ContainsKey((index, term));

    public void Add(in LogEntry entry, ulong before, RaftSimNode node)
    {
        if (known.TryAdd((entry.Index, entry.Term), (entry, before)))
        {
            return;
        }

        (LogEntry other, ulong otherBefore) = known[(entry.Index, entry.Term)];
        if (other.Kind != entry.Kind || (!other.Data.Equals(entry.Data) && !other.Data.Span.SequenceEqual(entry.Data.Span)))
        {
            throw new ViolationException($"log matching: {node} wrote another entry {entry.Index} of term {entry.Term} than others");
        }

        if (before != otherBefore)
        {
            throw new ViolationException(
                $"log matching: before entry {entry.Index} of term {entry.Term}, {node} has term {before}, others have {otherBefore}");
        }
    }
}
