using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>The term of every entry behind a snapshot, in as many places as there were terms.</summary>
public sealed class TermHistory
{
    private readonly List<(ulong From, ulong Term)> runs = [];

    /// <summary>The last entry, or the one before the first.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>Of the last entry.</summary>
    public ulong LastTerm => runs.Count > 0 ? runs[^1].Term : 0;

    /// <summary>One that goes on by itself.</summary>
    public TermHistory Copy()
    {
        TermHistory copy = new() { LastIndex = LastIndex };
        copy.runs.AddRange(runs);
        return copy;
    }

    /// <summary>Forgets everything: the log goes on behind this entry.</summary>
    public void Restart(SnapshotMark behind)
    {
        runs.Clear();
        runs.Add((behind.Index, behind.Term));
        LastIndex = behind.Index;
    }

    public void Add(ulong index, ulong term)
    {
        Invariant.Holds(index == LastIndex + 1, $"entry {index} follows {LastIndex}");
        if (runs.Count == 0 || runs[^1].Term != term)
        {
            runs.Add((index, term));
        }

        LastIndex = index;
    }

    /// <summary>The entry and all behind it are gone.</summary>
    public void CutFrom(ulong index)
    {
        Invariant.Holds(index > 0 && index <= LastIndex, $"entry {index} is in the log, which ends with {LastIndex}");
        while (runs.Count > 0 && runs[^1].From >= index)
        {
            runs.RemoveAt(runs.Count - 1);
        }

        LastIndex = index - 1;
    }

    /// <summary>0: there is no such entry, or it is not known.</summary>
    public ulong TermOf(ulong index)
    {
        if (index > LastIndex)
        {
            return 0;
        }

        for (int i = runs.Count - 1; i >= 0; i--)
        {
            if (runs[i].From <= index)
            {
                return runs[i].Term;
            }
        }

        return 0;
    }
}
