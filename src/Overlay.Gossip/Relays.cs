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

    /// <summary>In the order of their deadlines: all wait equally long.</summary>
    private readonly List<Relay> open = [];

    public Instant NextDeadline => open.Count > 0 ? open[0].Deadline : Instant.Never;

    public void Begin(in MessageFields request, uint sequence, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (open.Count >= MaxOpen || request.Port == 0 || CountOf(from.Address) >= MaxOpenOfOne)
        {
            counters.Refused++;
            return;
        }

        MemberEntry? asker = members.Find(request.SourceNode);
        MemberEntry? target = members.Find(request.Node);
        IPEndPoint answerTo = request.Source.IsAbsent ? from : request.Source.ToEndPoint(asker?.Address, orThis: from);
        open.Add(new(
            sequence, request.SequenceNumber, answerTo, from.Address, request.WantsNack, now + options.ProbeTimeout));
        MemberEntry self = members.Self;
        PacketWriter ping = PacketCodec.Begin();
        ping.AddPing(sequence, target?.Name ?? MessageFields.TextOf(request.Node), self.Address, self.Name);
        outbox.Send(e, request.Target.ToEndPoint(target?.Address, orThis: from), ping);
    }

    /// <summary>False where the answer is to no relayed ping.</summary>
    public bool Answered(uint sequence, GossipEffects e)
    {
        int index = open.Count - 1;
        while (index >= 0 && open[index].Sequence != sequence)
        {
            index--;
        }

        if (index < 0)
        {
            return false;
        }

        Relay relay = open[index];
        open.RemoveAt(index);
        PacketWriter answer = PacketCodec.Begin();
        answer.AddAck(relay.Asked, [], digest: 0);
        outbox.Send(e, relay.AnswerTo, answer);
        return true;
    }

    public void Advance(Instant now, GossipEffects e)
    {
        int due = 0;
        for (; due < open.Count && open[due].Deadline <= now; due++)
        {
            if (open[due].WantsNack)
            {
                outbox.Send(e, open[due].AnswerTo, new GossipMessage.Nack(open[due].Asked));
            }
        }

        open.RemoveRange(0, due);
    }

    private int CountOf(IPAddress source)
    {
        int count = 0;
        foreach (Relay relay in open)
        {
            count += relay.From.Equals(source) ? 1 : 0;
        }

        return count;
    }

    /// <param name="Asked">The number that the asker gave its question.</param>
    private readonly record struct Relay(
        uint Sequence, uint Asked, IPEndPoint AnswerTo, IPAddress From, bool WantsNack, Instant Deadline);
}
