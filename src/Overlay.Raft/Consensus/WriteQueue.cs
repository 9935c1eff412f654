using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>
/// Writes that the disk has and has not completed, and messages that wait for one of them. A write whose entries are
/// truncated while it is under way will not make them durable: that is decided here, at the moment of truncation.
/// </summary>
internal sealed class WriteQueue
{
    private readonly Slot[] slots;
    private readonly StructQueue<Held> held = new();
    private int head;

    public WriteQueue(int capacity)
    {
        slots = new Slot[capacity];
        for (int i = 0; i < capacity; i++)
        {
            slots[i] = new();
        }
    }

    /// <summary>The number of the last write that was handed out.</summary>
    public ulong Issued { get; private set; }

    public ulong Completed { get; private set; }

    public int Outstanding => (int)(Issued - Completed);

    public bool IsFull => Outstanding == slots.Length;

    /// <summary>When the disk got the oldest of them; <see cref="Instant.Never"/>: it has none.</summary>
    public Instant OldestIssued => Outstanding == 0 ? Instant.Never : slots[head].IssuedAt;

    /// <summary>A message waits for the write that is not cut yet.</summary>
    public bool IsNextAwaited => held.Count > 0 && held[held.Count - 1].After > Issued;

    public LogWrite Cut(RaftLog log, HardState? state, Instant now)
    {
        Invariant.Holds(!IsFull, "a write has a place");
        Slot slot = slots[(head + Outstanding) % slots.Length];
        int count = (int)(log.Last + 1 - log.NextToWrite);
        if (slot.Entries.Length < count)
        {
            slot.Entries = new LogEntry[Math.Max(64, 2 * count)];
        }

        log.CopyTo(log.NextToWrite, slot.Entries.AsSpan(0, count));
        slot.Count = count;
        slot.State = state;
        slot.Install = log.Install;
        slot.DurableTo = count > 0 || log.Install is not null ? log.Last : 0;
        slot.IssuedAt = now;
        LogWrite write = new(++Issued, state, log.VoidFrom, slot.Entries.AsMemory(0, count), log.Install);
        log.Written();
        return write;
    }

    /// <summary>The entries after the last one are void in every write under way.</summary>
    public void Truncate(ulong last)
    {
        for (int i = 0; i < Outstanding; i++)
        {
            Slot slot = slots[(head + i) % slots.Length];
            slot.DurableTo = Math.Min(slot.DurableTo, last);
        }
    }

    /// <summary>A snapshot replaces what every write under way holds.</summary>
    public void Replace()
    {
        for (int i = 0; i < Outstanding; i++)
        {
            Slot slot = slots[(head + i) % slots.Length];
            slot.DurableTo = 0;
            slot.Install = null;
        }
    }

    /// <summary>The oldest write is durable: what that means.</summary>
    public (ulong DurableTo, HardState? State, SnapshotMark? Install) Complete()
    {
        Invariant.Holds(Outstanding > 0, "a write that completes was handed out");
        Slot slot = slots[head];
        slot.Entries.AsSpan(0, slot.Count).Clear();
        head = (head + 1) % slots.Length;
        Completed++;
        return (slot.DurableTo, slot.State, slot.Install);
    }

    /// <summary>The message may be sent when all that happened so far is durable.</summary>
    public void Hold(in RaftMessage message, bool isDirty)
    {
        ulong after = isDirty ? Issued + 1 : Issued;
        if (message.Kind == MessageKind.AppendResponse && held.Count > 0)
        {
            ref Held last = ref held[held.Count - 1];
            if (last.After == after && last.Message.Kind == MessageKind.AppendResponse && last.Message.To == message.To
                && last.Message.Term == message.Term && last.Message.Index <= message.Index)
            {
                // One answer for everything that one write makes durable.
                last.Message = message;
                return;
            }
        }

        held.Enqueue(new() { After = after, Message = message });
    }

    public bool TryRelease(out RaftMessage message)
    {
        bool released = held.Count > 0 && held[0].After <= Completed;
        message = released ? held.Dequeue().Message : default;
        return released;
    }

    private sealed class Slot
    {
        public LogEntry[] Entries = [];
        public int Count;
        public HardState? State;
        public SnapshotMark? Install;
        public ulong DurableTo;
        public Instant IssuedAt;
    }

    private struct Held
    {
        public ulong After;
        public RaftMessage Message;
    }
}
