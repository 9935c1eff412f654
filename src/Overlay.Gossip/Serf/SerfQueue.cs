using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>What serf's layer passes on: intents before queries before events, each kind bounded.</summary>
internal sealed class SerfQueue
{
    private readonly BroadcastQueue intents = new();
    private readonly BroadcastQueue queries = new();
    private readonly BroadcastQueue events = new();

    public int Count => intents.Count + queries.Count + events.Count;

    /// <summary>False: the queue is full, and it is not passed on.</summary>
    public bool Add(SerfMessage message, byte[] bytes) => message switch
    {
        SerfMessage.Join join => Add(intents, join.Node, bytes),
        SerfMessage.Leave leave => Add(intents, leave.Node, bytes),
        SerfMessage.Query query => Add(queries, $"{query.Time} {query.Id}", bytes),
        SerfMessage.Event happened => Add(events, $"{happened.Time} {happened.Name} {Crc32.Of(happened.Payload)}", bytes),
        _ => false,
    };

    public void Take(List<GossipMessage> into, ref int budget, int transmitLimit)
    {
        intents.Take(into, ref budget, transmitLimit);
        queries.Take(into, ref budget, transmitLimit);
        events.Take(into, ref budget, transmitLimit);
    }

    private static bool Add(BroadcastQueue queue, string subject, byte[] bytes)
    {
        if (queue.Count >= SerfLimits.MaxQueued && !queue.Contains(subject))
        {
            return false;
        }

        queue.Add(subject, new GossipMessage.User(bytes));
        return true;
    }
}
