using Overlay.Gossip.Wire;

namespace Overlay.Gossip;

/// <summary>
/// Rumours waiting to be passed on: the least told first, then the longest, then the newest. Newer news of the same
/// subject replaces the older.
/// </summary>
internal sealed class BroadcastQueue
{
    /// <summary>A packet is full when so many waiting rumours did not fit in.</summary>
    private const int MaxMisses = 8;

    private readonly Dictionary<string, Rumour> bySubject = new(StringComparer.Ordinal);
    private readonly SortedSet<Rumour> order = [];
    private long next;

    public int Count => order.Count;

    /// <summary>How often the least told rumour was told.</summary>
    public int LeastTold => order.Min?.Transmits ?? 0;

    public static int TransmitLimit(int multiplier, int members) =>
        multiplier * (int)Math.Ceiling(Math.Log10(members + 1));

    public bool Contains(string subject) => bySubject.ContainsKey(subject);

    public void Add(string subject, GossipMessage message)
    {
        Remove(subject);
        var rumour = new Rumour(subject, message, PacketCodec.Measure(message), 0, next++);
        bySubject.Add(subject, rumour);
        order.Add(rumour);
    }

    public void Remove(string subject)
    {
        if (bySubject.Remove(subject, out Rumour? old))
        {
            order.Remove(old);
        }
    }

    public void Take(List<GossipMessage> into, ref int budget, int transmitLimit) =>
        Take(into, ref budget, transmitLimit, transmitLimit);

    /// <summary>Takes what fits, counts it as told once more, and forgets what was told often enough.</summary>
    /// <param name="budget">Bytes left in the packet; lowered by what is taken.</param>
    /// <param name="accusationLimit">How often an accusation is told; all else as often as the limit before it says.</param>
    public void Take(List<GossipMessage> into, ref int budget, int transmitLimit, int accusationLimit)
    {
        if (order.Count == 0)
        {
            return;
        }

        List<Rumour> taken = [];
        int misses = 0;
        foreach (Rumour rumour in order)
        {
            int cost = rumour.Size + Outbox.PartOverhead;
            if (cost <= budget && into.Count < Outbox.MaxParts)
            {
                budget -= cost;
                into.Add(rumour.Message);
                taken.Add(rumour);
            }
            else if (budget < Outbox.SmallestPart || ++misses > MaxMisses)
            {
                break;
            }
        }

        foreach (Rumour rumour in taken)
        {
            Remove(rumour.Subject);
            if (rumour.Transmits + 1 < (rumour.Message is GossipMessage.Suspect or GossipMessage.Dead ? accusationLimit : transmitLimit))
            {
                Rumour again = rumour with { Transmits = rumour.Transmits + 1 };
                bySubject.Add(again.Subject, again);
                order.Add(again);
            }
        }
    }

    private sealed record Rumour(string Subject, GossipMessage Message, int Size, int Transmits, long Sequence)
        : IComparable<Rumour>
    {
        public int CompareTo(Rumour? other)
        {
            if (other is null)
            {
                return 1;
            }

            int byTransmits = Transmits.CompareTo(other.Transmits);
            if (byTransmits != 0)
            {
                return byTransmits;
            }

            int bySize = other.Size.CompareTo(Size);
            return bySize != 0 ? bySize : other.Sequence.CompareTo(Sequence);
        }
    }
}
