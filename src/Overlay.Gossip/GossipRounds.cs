using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>Tells waiting rumours to a few random members in every gossip interval.</summary>
internal sealed class GossipRounds(SwimOptions options, MemberList members, Outbox outbox)
{
    private Instant next;

    public Instant NextDeadline => members.Rumours.Count > 0 && members.LiveCount > 1 ? next : Instant.Never;

    public void Advance(Instant now, GossipEffects e)
    {
        if (now < NextDeadline)
        {
            return;
        }

        next = now + options.GossipInterval;
        List<MemberEntry> targets = members.Ring.Pick(options.GossipNodes, m =>
            m.IsLive || (m.State == MemberState.Dead && now - m.Since < options.GossipToTheDead));
        foreach (MemberEntry target in targets)
        {
            List<GossipMessage> packet = [];
            int room = outbox.Budget;
            members.Rumours.Take(packet, ref room, members.TransmitLimit);
            if (packet.Count > 0)
            {
                outbox.Send(e, target.Address, packet);
            }
        }
    }
}
