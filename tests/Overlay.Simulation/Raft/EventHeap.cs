namespace Overlay.Simulation.Raft;

internal enum RaftEventKind : byte
{
    Deliver,
    Timer,
    DiskDone,
    ApplyDone,
    SnapshotWritten,
    SnapshotReport,
    Unreachable,
    LeaderGone,
    Restart,
    Client,
    ClientTimeout,
    ClientThink,
    Trouble,
    Operator,
}

/// <summary>Something that will happen.</summary>
/// <param name="At">Nanoseconds of virtual time.</param>
/// <param name="Node">The slot of the node it happens to, or a client's number.</param>
/// <param name="Life">The node's life it belongs to; another life does not see it.</param>
/// <param name="Argument">What the kind needs: a place in a table, a number.</param>
internal readonly record struct RaftEvent(long At, RaftEventKind Kind, int Node, int Life, ulong Argument);

/// <summary>What will happen, by time and then by the order of asking; a binary heap without allocation.</summary>
internal sealed class EventHeap
{
    private (long At, long Order, RaftEvent Event)[] items = new (long, long, RaftEvent)[256];
    private int count;
    private long order;

    public bool IsEmpty => count == 0;

    public long NextAt => items[0].At;

    public void Add(in RaftEvent item)
    {
        if (count == items.Length)
        {
            Array.Resize(ref items, count * 2);
        }

        int at = count++;
        long number = order++;
        while (at > 0)
        {
            int parent = (at - 1) / 2;
            if (items[parent].At < item.At || (items[parent].At == item.At && items[parent].Order < number))
            {
                break;
            }

            items[at] = items[parent];
            at = parent;
        }

        items[at] = (item.At, number, item);
    }

    public RaftEvent Take()
    {
        RaftEvent first = items[0].Event;
        (long At, long Order, RaftEvent Event) last = items[--count];
        int at = 0;
        while (true)
        {
            int child = (at * 2) + 1;
            if (child >= count)
            {
                break;
            }

            if (child + 1 < count && IsBefore(items[child + 1], items[child]))
            {
                child++;
            }

            if (!IsBefore(items[child], last))
            {
                break;
            }

            items[at] = items[child];
            at = child;
        }

        items[at] = last;
        return first;
    }

    private static bool IsBefore(
        in (long At, long Order, RaftEvent Event) left, in (long At, long Order, RaftEvent Event) right) =>
        left.At < right.At || (left.At == right.At && left.Order < right.Order);
}
