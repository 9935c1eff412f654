using System.Net;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The part of the façade that hands on what packets bring.</summary>
public sealed partial class Swim
{
    private void Hear(MessageType type, in MessageFields message, IPEndPoint from, Instant now, GossipEffects e)
    {
        switch (type)
        {
            case MessageType.Ping:
                if (members.Find(message.SourceNode) is { } asker)
                {
                    sessions.Pinged(asker.Name, now);
                    HearFrom(asker, now);
                }

                prober.HearPing(message, from, e);
                break;
            case MessageType.IndirectPing:
                if (members.Find(message.SourceNode) is { } seeker)
                {
                    HearFrom(seeker, now);
                }

                prober.HearIndirectPing(message, from, now, e);
                break;
            case MessageType.Ack when jury.Acked(message.SequenceNumber, now, e) || trials.Acked(message.SequenceNumber):
                break;
            case MessageType.Ack:
                if (prober.HearAck(message, from, now, e) is { } target)
                {
                    trials.Answered(target);
                    sessions.Answered(target.Name, from.Equals(target.Address), now);
                    differences.Compare(target, message.Digest, now, e);
                }

                break;
            case MessageType.Nack:
                prober.HearNack(message.SequenceNumber);
                break;
            case MessageType.Suspect:
                RemindAccuser(message, from, e);
                members.HearSuspect(message, now, e);
                break;
            case MessageType.Alive:
                members.HearAlive(message, now, e);
                break;
            case MessageType.Dead:
                RemindAccuser(message, from, e);
                members.HearDead(message, now, e);
                break;
            case MessageType.User when BeatMessage.IsOurs(message.Payload):
                HearBeat(message.Payload, from, now, e);
                break;
            case MessageType.User when jury.Receive(message.Payload, now, e) || alerts.Receive(message.Payload, now):
                break;
            case MessageType.User:
                HearUser(message.Payload, from, now, e);
                break;
            default:
                Counters.Refused++;
                break;
        }
    }

    /// <summary>
    /// A member tells this node that it is accused of what it objected to already: it missed the objection, and gets it now.
    /// </summary>
    private void RemindAccuser(in MessageFields accusation, IPEndPoint from, GossipEffects e)
    {
        MemberEntry self = members.Self;
        if (options.Extends && accusation.Incarnation < self.Incarnation && !members.Own.HasLeft
            && ReferenceEquals(members.Find(accusation.Node), self)
            && members.Find(accusation.From) is { } accuser && !ReferenceEquals(accuser, self) && from.Equals(accuser.Address))
        {
            outbox.Send(e, accuser.Address, [self.ToAlive()]);
        }
    }

    private void HearBeat(ReadOnlySpan<byte> payload, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (!BeatMessage.TryRead(payload, out BeatMessage beat))
        {
            Counters.Rejected++;
        }
        else if (sessions.Hear(beat, from, now, e) is { } name && members.Find(name) is { } sender)
        {
            HearFrom(sender, now);
            if (sender.State is MemberState.Suspect or MemberState.Dead)
            {
                outbox.Send(e, sender.Address, prober.Accuse(sender));
            }
        }
    }

    /// <summary>A packet of its own came from this member.</summary>
    private void HearFrom(MemberEntry member, Instant now)
    {
        trials.Heard(member);
        if (member.State is MemberState.Suspect or MemberState.Dead)
        {
            trials.HeardAccused(member, now);
        }
    }

    /// <summary>What comes in one packet, in its order.</summary>
    private readonly struct Hearing(Swim swim, IPEndPoint from, Instant now, GossipEffects e) : IMessageSink
    {
        public void Take(MessageType type, in MessageFields message) => swim.Hear(type, message, from, now, e);
    }
}
