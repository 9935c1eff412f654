using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// Pings the dead, so that they are back a moment after they can be reached: with the ping goes what is said of them,
/// which they outdate with their answer. Who hears of a dead one again after it was cut off from many contacts all.
/// </summary>
internal sealed class Contacts(SwimOptions options, MemberList members, Outbox outbox, Prng prng)
{
    private const int AllAtOnce = 64;

    /// <summary>About so many members together contact a dead one in each interval; all others do so as well.</summary>
    private const int ContactsToOne = 3;

    /// <summary>The long dead are pinged in one of so many intervals.</summary>
    private const int Rarely = 10;

    private static readonly TimeSpan Recent = TimeSpan.FromMinutes(10);

    private Instant next;
    private int turn;
    private int deadBefore;

    public Instant NextDeadline => AnyDead ? next : Instant.Never;

    private bool AnyDead => options.ContactInterval > TimeSpan.Zero && members.DeadCount > 0 && !members.Own.HasLeft;

    public void Advance(Instant now, GossipEffects e)
    {
        if (!AnyDead || now < next)
        {
            return;
        }

        next = now + (options.ContactInterval * (0.75 + (0.5 * prng.NextDouble())));
        turn++;
        int count = members.DeadCount;
        // Fewer than before: this node was cut off, or they were, and the rest may be there too.
        double share = count * Math.Min(1, (double)ContactsToOne / members.LiveCount);
        double wanted = Math.Min(share, count < deadBefore ? AllAtOnce : 1);
        int contacted = (int)wanted + (prng.Chance(wanted - Math.Floor(wanted)) ? 1 : 0);
        bool toAll = turn % Rarely == 0;
        deadBefore = count;
        if (contacted == 0 || (!toAll && now - members.LastDeathAt >= Recent))
        {
            return;
        }

        foreach (MemberEntry member in members.Ring.Pick(
            contacted, m => m.State == MemberState.Dead && (toAll || now - m.Since < Recent)))
        {
            Contact(member, e);
        }
    }

    public void Contact(MemberEntry member, GossipEffects e) => outbox.Send(e, member.Address,
    [
        members.Death(member, members.Self.Name),
        new GossipMessage.Ping((uint)prng.NextUInt64(), member.Name, members.Self.Address, members.Self.Name),
    ]);

    /// <summary>The others are contacted soon: more may be back, and answers to the first ones come together.</summary>
    public void SomeoneReturned(Instant now) => next = Instant.Min(next, now + (options.ContactInterval * 0.1));
}
