using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Whole;

/// <summary>What a member was told is durable on its disk: what every start must find there, or find damaged.</summary>
internal sealed class DurableLog
{
    public HardState State { get; set; }

    public SnapshotMark Snapshot { get; private set; }

    /// <summary>Of every entry; what is not behind the snapshot may be unknown.</summary>
    public TermHistory Terms { get; private set; } = new();

    public ulong LastIndex => Terms.LastIndex;

    public bool Holds(ulong index, ulong term) => index <= Snapshot.Index || Terms.TermOf(index) == term;

    public void Install(SnapshotMark mark)
    {
        Terms.Restart(mark);
        Snapshot = mark;
    }

    public void Saved(SnapshotMark mark) => Snapshot = mark;

    public void Wrote(in LogWrite write)
    {
        State = write.State ?? State;
        if (write.Install is { } mark)
        {
            Install(mark);
        }

        if (write.TruncateFrom > 0)
        {
            CutFrom(write.TruncateFrom);
        }

        foreach (ref readonly LogEntry entry in write.Entries.Span)
        {
            CutFrom(entry.Index);
            Terms.Add(entry.Index, entry.Term);
        }
    }

    /// <summary>A write that cuts was under way when everything stopped: what it cuts may be there or not.</summary>
    public void CutFrom(ulong index)
    {
        if (index <= LastIndex)
        {
            Terms.CutFrom(index);
        }
    }

    public void Take(HardState state, LogRecovery found)
    {
        State = state;
        Snapshot = found.Snapshot?.Mark ?? default;
        Terms = found.Terms.Copy();
    }
}
