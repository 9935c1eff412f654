using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// Tells waiting rumours to a few random members in every gossip interval. What serf's layer passes on has a third of a
/// packet for itself while it has anything, so that news of members never starves it.
/// </summary>
internal sealed class GossipRounds(SwimOptions options, MemberList members, SerfQueue others, BroadcastQueue alerts, Outbox outbox)
{
    private const int ShareOfOthers = 3;

    /// <summary>With more news than this at once, packets are full anyway, and haste only sends more of them.</summary>
    private const int MaxUrgent = 48;

    private Instant last;

    /// <summary>Without urgent rounds there is a round in every interval, at its time, as memberlist has it.</summary>
    public Instant NextDeadline =>
        members.LiveCount > 1 && (members.Rumours.Count + others.Count + alerts.Count > 0 || options.UrgentRounds == 0)
            ? last + Pace
            : Instant.Never;

    private TimeSpan Pace =>
        members.Rumours.Count is > 0 and <= MaxUrgent
        && members.Rumours.LeastTold < options.UrgentRounds * options.GossipNodes
            ? options.UrgentInterval
            : options.GossipInterval;

    public void Start(Instant now) => last = now;

    public void Advance(Instant now, GossipEffects e)
    {
        if (now < NextDeadline)
        {
            return;
        }

        last = now;
        List<MemberEntry> targets = members.Ring.Pick(options.GossipNodes, m =>
            m.IsLive || (m.State == MemberState.Dead && now - m.Since < options.GossipToTheDead));
        foreach (MemberEntry target in targets)
        {
            List<GossipMessage> packet = [];
            int reserved = others.Count > 0 ? outbox.Budget / ShareOfOthers : 0;
            int room = outbox.Budget - reserved;
            members.Rumours.Take(packet, ref room, members.TransmitLimit, members.AccusationLimit);
            room += reserved;
            others.Take(packet, ref room, members.TransmitLimit);
            if (target.IsOurs)
            {
                alerts.Take(packet, ref room, members.TransmitLimit);
            }

            if (packet.Count > 0)
            {
                outbox.Send(e, target.Address, packet);
            }
        }
    }
}
