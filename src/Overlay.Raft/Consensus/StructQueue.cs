using Overlay.Primitives;

namespace Overlay.Raft.Consensus;

/// <summary>First in, first out, in a ring that grows and never shrinks: no allocation once it is large enough.</summary>
internal sealed class StructQueue<T>
{
    private T[] ring = new T[8];
    private int head;

    public int Count { get; private set; }

    public ref T this[int position]
    {
        get
        {
            Invariant.Holds((uint)position < (uint)Count, "a queue has what it is asked for");
            return ref ring[(head + position) & (ring.Length - 1)];
        }
    }

    public void Enqueue(in T item)
    {
        if (Count == ring.Length)
        {
            T[] larger = new T[2 * ring.Length];
            ring.AsSpan(head).CopyTo(larger);
            ring.AsSpan(0, head).CopyTo(larger.AsSpan(ring.Length - head));
            ring = larger;
            head = 0;
        }

        ring[(head + Count++) & (ring.Length - 1)] = item;
    }

    public T Dequeue()
    {
        T item = this[0];
        ring[head] = default!;
        head = (head + 1) & (ring.Length - 1);
        Count--;
        return item;
    }

    public void Clear()
    {
        Array.Clear(ring);
        head = 0;
        Count = 0;
    }
}
