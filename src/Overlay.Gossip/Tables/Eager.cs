using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>The fast path of own writes and, in large networks, of others': packets at once, then rumours.</summary>
internal sealed class Eager(
    SwimOptions options, MemberList members, TableStore store, TableSender sender, Outbox outbox)
{
    /// <summary>From so many waiting writes on, comparing tables is the cheaper way: it sends each write once.</summary>
    private const int MaxQueued = 64;

    private readonly SortedDictionary<string, BroadcastQueue> queues = new(StringComparer.Ordinal);
    private Instant nextTick;

    public Instant NextDeadline => queues.Count > 0 ? nextTick : Instant.Never;

    /// <summary>Own writes of one network go to all its holders where they are few, else to some.</summary>
    public void Spread(IReadOnlyList<TableMessage.Delta> writes, Prng prng, Instant now, GossipEffects e)
    {
        foreach (IGrouping<string, TableMessage.Delta> network in
            writes.GroupBy(w => w.Network, StringComparer.Ordinal))
        {
            List<MemberEntry> audience = store.Audience(network.Key);
            while (audience.Count > options.DirectFanout)
            {
                audience.RemoveAt(prng.Next(audience.Count));
            }

            IEnumerable<TableMessage> messages = network.Key.Length > 0 && store.IsNewlyAttached(network.Key, now)
                ? [store.AttachmentOf(network.Key), .. network]
                : network;
            foreach (MemberEntry peer in audience)
            {
                sender.Send(peer.Address, messages, e);
            }

            bool many = network.Skip(MaxQueued).Any();
            foreach (TableMessage.Delta write in network.TakeWhile(_ => !many))
            {
                Queue(write);
            }
        }

        if (nextTick < now)
        {
            nextTick = now + options.GossipInterval;
        }
    }

    /// <summary>What another owner wrote is passed on only where the owner cannot reach all holders itself.</summary>
    public void PassOn(TableMessage.Delta write)
    {
        if (write.Items.Count <= 1 && write.To - write.From == 1
            && store.Audience(write.Network).Count > options.DirectFanout)
        {
            Queue(write);
        }
    }

    public void Clear() => queues.Clear();

    public void Advance(Instant now, GossipEffects e)
    {
        if (now < nextTick || queues.Count == 0)
        {
            return;
        }

        nextTick = now + options.GossipInterval;
        foreach ((string network, BroadcastQueue queue) in queues.ToList())
        {
            int limit = BroadcastQueue.TransmitLimit(
                options.RetransmitMultiplier, store.Audience(network).Count + 1);
            List<MemberEntry> targets = members.Ring.Pick(
                options.GossipNodes, m => m.IsLive && m.IsOurs && store.IsAttached(m.Name, network));
            foreach (MemberEntry target in targets)
            {
                List<GossipMessage> packet = [];
                int room = outbox.Budget;
                queue.Take(packet, ref room, limit);
                outbox.Send(e, target.Address, packet);
            }

            if (queue.Count == 0 || targets.Count == 0)
            {
                queues.Remove(network);
            }
        }
    }

    private void Queue(TableMessage.Delta write)
    {
        if (!queues.TryGetValue(write.Network, out BroadcastQueue? queue))
        {
            queue = new();
            queues.Add(write.Network, queue);
        }

        string key = write.Items.Count > 0 ? write.Items[0].Key : "";
        string subject = $"{write.Owner}\0{key}";
        if (queue.Count < MaxQueued || queue.Contains(subject))
        {
            queue.Add(subject, sender.Wrap(write));
        }
    }
}
