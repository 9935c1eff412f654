using Overlay.Primitives;

namespace Overlay.Gossip.Serf;

/// <summary>The queries that this node asked and waits for.</summary>
internal sealed class OwnQueries
{
    public const int MaxOpen = 64;

    private readonly SortedDictionary<uint, Open> open = [];

    public int Count => open.Count;

    public Instant NextDeadline => open.Count == 0 ? Instant.Never : open.Values.Select(q => q.Deadline).Min();

    public void Add(SerfMessage.Query query, Instant now) => open[query.Id] = new(query.Time, now + query.Timeout);

    /// <summary>False: nobody waits for it, or it was here before.</summary>
    public bool Take(SerfMessage.Response response, int maxAnswers, GossipEffects e)
    {
        if (!open.TryGetValue(response.Id, out Open? query) || query.Time != response.Time)
        {
            return false;
        }

        bool isAck = response.Flags.HasFlag(QueryFlags.Ack);
        SortedSet<string> seen = isAck ? query.Acks : query.Answers;
        if (seen.Count >= maxAnswers || !seen.Add(response.From))
        {
            return false;
        }

        e.Events.Add(new GossipEvent.QueryAnswered(response.Id, response.From, isAck ? default(ReadOnlyMemory<byte>?) : response.Payload));
        return true;
    }

    /// <summary>Nobody waits for it, or this member's was here before.</summary>
    public bool Knows(ulong time, uint id, bool isAck, MemberEntry? from) =>
        !open.TryGetValue(id, out Open? query) || query.Time != time
        || (from is not null && (isAck ? query.Acks : query.Answers).Contains(from.Name));

    public void Advance(Instant now, GossipEffects e)
    {
        foreach (uint id in open.Where(q => q.Value.Deadline <= now).Select(q => q.Key).ToList())
        {
            open.Remove(id);
            e.Events.Add(new GossipEvent.QueryEnded(id));
        }
    }

    private sealed class Open(ulong time, Instant deadline)
    {
        public ulong Time => time;

        public Instant Deadline => deadline;

        public SortedSet<string> Acks { get; } = new(StringComparer.Ordinal);

        public SortedSet<string> Answers { get; } = new(StringComparer.Ordinal);
    }
}
