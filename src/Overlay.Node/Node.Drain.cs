using Overlay.Cluster;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// A node that is drained withdraws what it has itself, by gossip, whose tables are acknowledged: it does not have to be guessed when
/// nobody sends anything new here.
/// </summary>
public sealed partial class Node
{
    private static readonly TimeSpan DrainPace = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether the endpoints here were last announced as withdrawn.</summary>
    private bool drainTold;

    /// <summary>Which drain is not known to be acknowledged.</summary>
    private long drainPending;
    private Instant drainLookAt = Instant.Never;
    private bool drainHeard;

    /// <summary>An announcement found no room in the tables of gossip.</summary>
    private bool drainUntold;

    private void TendDrain(Instant now, NodeEffects effects)
    {
        NodeObject? self = intent.Node(Id.ToString());
        if (drainTold != Availability.IsDrained(self))
        {
            drainTold = !drainTold;
            AnnounceDrain(now, effects);
        }

        long pending = self is not null && drainTold && !Availability.IsAcknowledged(self) ? self.AvailabilityUnixMs : 0;
        if (pending != drainPending)
        {
            drainPending = pending;
            drainHeard = false;
            drainLookAt = pending == 0 ? Instant.Never : now + DrainPace;
        }
        else if (drainLookAt <= now)
        {
            LookAtDrain(now, effects);
        }
    }

    private void LookAtDrain(Instant now, NodeEffects effects)
    {
        if (drainHeard)
        {
            effects.DrainAcknowledged = drainPending;
            drainLookAt = Instant.Never;
            return;
        }

        if (drainUntold)
        {
            AnnounceDrain(now, effects);
        }

        drainHeard = !drainUntold && Behind(endpoints.Values, now).Count == 0 && !HasStranded();
        drainLookAt = now + (drainHeard ? ProgrammingTime : DrainPace);
    }

    private void AnnounceDrain(Instant now, NodeEffects effects)
    {
        drainUntold = false;
        foreach (EndpointState endpoint in endpoints.Values.Where(static e => e.LostSince is null))
        {
            drainUntold |= Announce(endpoint, now, effects) != PutOutcome.Done;
        }
    }

    /// <summary>
    /// Whether a host has endpoints on a network here, and its agent is down, or may be: its kernel goes on as it was, and nobody
    /// acknowledges anything for it.
    /// </summary>
    private bool HasStranded() => NetworksOf(endpoints.Values).SelectMany(n => remotes.On(NetworkId.Parse(n))).Select(static r => r.Owner).Distinct()
        .Any(owner => swim.Find(owner.ToString()) is { Presence: Presence.AgentDown or Presence.Suspect });
}
