namespace Overlay.Simulation.Raft;

/// <summary>The terms in the log of a node as it gave it to its disk, durable or not yet.</summary>
internal sealed class WrittenLog
{
    private readonly List<ulong> terms = [];
    private ulong before;
    private ulong? termBefore;

    public ulong Last => before + (ulong)terms.Count;

    public void Load(RaftDisk disk)
    {
        terms.Clear();
        before = disk.FirstIndex - 1;
        termBefore = before == disk.Snapshot.Mark.Index ? disk.Snapshot.Mark.Term : 0;
        for (int i = 0; i < disk.Entries.Count; i++)
        {
            terms.Add(disk.Entries[i].Term);
        }
    }

    /// <summary>The term at an index; null: it is not known here.</summary>
    public ulong? TermAt(ulong index) =>
        index > before && index <= Last ? terms[(int)(index - before) - 1] : index == before ? termBefore : null;

    public void Append(ulong term) => terms.Add(term);

    /// <summary>Cuts from an index on; how many entries and different terms go.</summary>
    public (int Entries, int Terms) Cut(ulong from)
    {
        int keep = (int)(from - before) - 1;
        int entries = terms.Count - keep;
        int different = terms.Skip(keep).Distinct().Count();
        terms.RemoveRange(keep, entries);
        return (entries, different);
    }

    public void Install(in Overlay.Raft.SnapshotMark mark)
    {
        terms.Clear();
        before = mark.Index;
        termBefore = mark.Term;
    }
}
