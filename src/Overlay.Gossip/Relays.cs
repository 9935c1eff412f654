using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The pings that this node sends on behalf of others.</summary>
internal sealed class Relays(SwimOptions options, MemberList members, Outbox outbox, GossipCounters counters)
{
    private const int MaxOpen = 1024;

    /// <summary>One source cannot take all the places, nor make this node send for it without end.</summary>
    private const int MaxOpenOfOne = 32;

    private readonly SortedDictionary<uint, Relay> open = [];

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            if (open.Count > 0)
            {
                foreach (Relay relay in open.Values)
                {
                    next = Instant.Min(next, relay.Deadline);
                }
            }

            return next;
        }
    }

    public void Begin(
        GossipMessage.IndirectPing request, uint sequence, IPEndPoint from, Instant now, GossipEffects e)
    {
        IPEndPoint answerTo = request.Source ?? from;
        if (open.Count >= MaxOpen || request.Target.Port == 0
            || open.Values.Count(r => r.From.Equals(from.Address)) >= MaxOpenOfOne)
        {
            counters.Refused++;
            return;
        }

        open[sequence] = new(
            request.SequenceNumber, answerTo, from.Address, request.WantsNack, now + options.ProbeTimeout);
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
        if (NextDeadline > now)
        {
            return;
        }

        List<uint> due = [.. open.Where(r => r.Value.Deadline <= now).Select(r => r.Key)];
        foreach (uint sequence in due)
        {
            if (open.Remove(sequence, out Relay relay) && relay.WantsNack)
            {
                outbox.Send(e, relay.AnswerTo, new GossipMessage.Nack(relay.Sequence));
            }
        }
    }

    private readonly record struct Relay(uint Sequence, IPEndPoint AnswerTo, IPAddress From, bool WantsNack, Instant Deadline);
}
