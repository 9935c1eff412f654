using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>A snapshot of the state machine: all that is needed of it is its hash.</summary>
internal sealed record RaftSnapshot(SnapshotMark Mark, Configuration Configuration, ulong Hash);

/// <summary>
/// One node's disk: what would survive a crash now, and the writes under way in their order. A crash keeps the finished
/// ones, none of the rest, or, torn, any prefix of their parts.
/// </summary>
internal sealed class RaftDisk(RaftSnapshot origin)
{
    private readonly Queue<Write> queue = new();

    public HardState State { get; private set; }

    public RaftSnapshot Snapshot { get; private set; } = origin;

    /// <summary>Behind and, if they were kept, before the snapshot's mark; without gaps.</summary>
    public List<LogEntry> Entries { get; } = [];

    public ulong FirstIndex { get; private set; } = origin.Mark.Index + 1;

    public ulong LastIndex => FirstIndex + (ulong)Entries.Count - 1;

    public int Pending => queue.Count;

    /// <summary>When the last write will be done; writes are done in their order.</summary>
    public long LastDone { get; private set; }

    public bool HasPendingEntries => queue.Any(static p => p.What.Entries.Length > 0);

    public bool HasPendingVote => queue.Any(static p => p.What.State is { Vote.IsNone: false });

    /// <summary>When the oldest write under way was begun.</summary>
    public long OldestBegun => queue.TryPeek(out Write next) ? next.BegunAt : long.MaxValue;

    public void Begin(in LogWrite write, RaftSnapshot? install, long now, long doneAt)
    {
        queue.Enqueue(new(write with { Entries = write.Entries.ToArray() }, install, now, doneAt));
        LastDone = doneAt;
    }

    /// <summary>Finishes what is due; the number of the last finished write, 0 if none is due.</summary>
    public ulong Finish(long now)
    {
        ulong number = 0;
        while (queue.TryPeek(out Write next) && next.DoneAt <= now)
        {
            queue.Dequeue();
            Perform(next.What, next.Install, int.MaxValue);
            number = next.What.Number;
        }

        return number;
    }

    public void Save(RaftSnapshot snapshot, ulong keepFrom)
    {
        if (snapshot.Mark.Index <= Snapshot.Mark.Index)
        {
            return;
        }

        Snapshot = snapshot;
        if (keepFrom > FirstIndex)
        {
            Entries.RemoveRange(0, (int)(keepFrom - FirstIndex));
            FirstIndex = keepFrom;
        }
    }

    /// <summary>The power goes. True: a part of a write was kept.</summary>
    public bool Crash(Prng prng, bool torn)
    {
        int whole = torn && queue.Count > 0 ? prng.Next(queue.Count + 1) : 0;
        bool kept = whole > 0;
        while (queue.TryDequeue(out Write next))
        {
            if (whole-- > 0)
            {
                Perform(next.What, next.Install, int.MaxValue);
            }
            else
            {
                if (torn)
                {
                    int parts = prng.Next(Parts(next.What) + 1);
                    kept |= parts > 0;
                    Perform(next.What, next.Install, parts);
                }

                break;
            }
        }

        queue.Clear();
        LastDone = 0;
        return kept;
    }

    /// <summary>Whether the entry is here even if the power goes now.</summary>
    public bool Holds(ulong index, ulong term) =>
        index <= Snapshot.Mark.Index || (index >= FirstIndex && index <= LastIndex && Entries[(int)(index - FirstIndex)].Term == term);

    private static int Parts(in LogWrite write) =>
        (write.State is null ? 0 : 1) + (write.Install is null ? 0 : 1) + (write.TruncateFrom == 0 ? 0 : 1) + write.Entries.Length;

    private void Perform(in LogWrite write, RaftSnapshot? install, int parts)
    {
        if (write.State is { } state && parts-- > 0)
        {
            State = state;
        }

        if (write.Install is not null && parts-- > 0)
        {
            Snapshot = install!;
            Entries.Clear();
            FirstIndex = install!.Mark.Index + 1;
        }

        if (write.TruncateFrom != 0 && parts-- > 0 && write.TruncateFrom <= LastIndex)
        {
            Entries.RemoveRange((int)(write.TruncateFrom - FirstIndex), (int)(LastIndex - write.TruncateFrom + 1));
        }

        foreach (LogEntry entry in write.Entries.Span[..Math.Clamp(parts, 0, write.Entries.Length)])
        {
            Invariant.Holds(entry.Index == LastIndex + 1, "a write goes on where the log ends");
            Entries.Add(entry);
        }
    }

    /// <summary>A write under way.</summary>
    private readonly record struct Write(LogWrite What, RaftSnapshot? Install, long BegunAt, long DoneAt);
}
