using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The pings that this node sends on behalf of others.</summary>
internal sealed class Relays(SwimOptions options, MemberList members, Outbox outbox, GossipCounters counters)
{
    private const int MaxOpen = 1024;

    private readonly SortedDictionary<uint, Relay> open = [];

    public Instant NextDeadline => open.Values.Select(r => r.Deadline).DefaultIfEmpty(Instant.Never).Min();

    public void Begin(
        GossipMessage.IndirectPing request, uint sequence, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (open.Count >= MaxOpen || request.Target.Port == 0)
        {
            counters.Refused++;
            return;
        }

        open[sequence] = new(
            request.SequenceNumber, request.Source ?? from, request.WantsNack, now + options.ProbeTimeout);
        MemberEntry self = members.Self;
        outbox.Send(e, request.Target, new GossipMessage.Ping(sequence, request.Node, self.Address, self.Name));
    }

    /// <summary>False where the answer is to no relayed ping.</summary>
    public bool Answered(uint sequence, GossipEffects e)
    {
        if (!open.Remove(sequence, out Relay relay))
        {
            return false;
        }

        outbox.Send(e, relay.AnswerTo, new GossipMessage.Ack(relay.Sequence, []));
        return true;
    }

    public void Advance(Instant now, GossipEffects e)
    {
        List<uint> due = [.. open.Where(r => r.Value.Deadline <= now).Select(r => r.Key)];
        foreach (uint sequence in due)
        {
            if (open.Remove(sequence, out Relay relay) && relay.WantsNack)
            {
                outbox.Send(e, relay.AnswerTo, new GossipMessage.Nack(relay.Sequence));
            }
        }
    }

    private readonly record struct Relay(uint Sequence, IPEndPoint AnswerTo, bool WantsNack, Instant Deadline);
}
