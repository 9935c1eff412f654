using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// A node that leaves the cluster: first its backends go out of services' names, virtual addresses and ports everywhere, while they still
/// serve who comes; then its endpoints go, then the node says goodbye.
/// </summary>
public sealed partial class Node
{
    /// <summary>From when another node knows of a change until its kernel has it, with room for a node that is busy.</summary>
    public static readonly TimeSpan ProgrammingTime = TimeSpan.FromMilliseconds(700);

    /// <summary>It is on its way out of the cluster.</summary>
    private bool isLeaving;

    /// <summary>Sends no more clients here; those who are here, or come as others have not heard yet, are served.</summary>
    /// <returns>Whether there is a backend that clients may be on their way to.</returns>
    public bool Withdraw(Instant now, NodeEffects effects)
    {
        TellLeaving(true, now, effects);
        return endpoints.Values.Any(static e => e.Service is not null && e.Status == EndpointStatus.Ready && IsServing(e.Health));
    }

    /// <summary>
    /// The hosts that may still send clients here: they hold a network with a backend of this node, and have not said yet that they have all
    /// that it told of it. Whoever is dead, or is without its agent, is not waited for: it changes nothing.
    /// </summary>
    public IReadOnlyList<string> Unaware(Instant now) =>
    [
        .. Behind(endpoints.Values.Where(static e => e.Service is not null), now)
            .Where(p => swim.Find(p) is { Presence: Presence.Alive or Presence.Degraded or Presence.Suspect })
            .Select(p => intent.Node(p)?.Hostname ?? p),
    ];

    /// <summary>The members that have not acknowledged all that this node has told of these, and of the mesh.</summary>
    private SortedSet<string> Behind(IEnumerable<EndpointState> endpoints, Instant now) => new(
        NetworksOf(endpoints).SelectMany(n => swim.LagOf(n, now)).Where(static l => l.Entries > 0).Select(static l => l.Peer), StringComparer.Ordinal);

    /// <summary>Where clients of these may be, or of the ports that lead to them.</summary>
    private SortedSet<string> NetworksOf(IEnumerable<EndpointState> endpoints)
    {
        SortedSet<string> networks = new(endpoints.Select(static e => e.Network.ToString()), StringComparer.Ordinal);
        if (IngressNetwork is { } ingress)
        {
            networks.Add(ingress.Id);
        }

        return networks;
    }

    /// <summary>The node stays, after all.</summary>
    public void Stay(Instant now, NodeEffects effects) => TellLeaving(false, now, effects);

    /// <summary>Says goodbye to the other nodes; the shell goes on until the farewells are sent.</summary>
    public void Leave(Instant now, NodeEffects effects)
    {
        swim.Leave(now, effects.Gossip);
        DigestGossip(now, effects);
    }

    /// <summary>Takes every endpoint off this host, before it leaves the cluster.</summary>
    public void DetachAll(Instant now, NodeEffects effects)
    {
        foreach (EndpointState endpoint in endpoints.Values.ToArray())
        {
            Remove(endpoint, UnixMsAt(now), "detach", now, effects);
        }

        // Not at once: this node is on its way out of the cluster.
        ingressStale = false;
        ingressRetryAt = now + IngressRetry;
        DigestGossip(now, effects);
    }

    private void TellLeaving(bool value, Instant now, NodeEffects effects)
    {
        if (isLeaving == value)
        {
            return;
        }

        isLeaving = value;
        foreach (EndpointState backend in endpoints.Values.Where(static e => e.Service is not null && e.LostSince is null))
        {
            Announce(backend, now, effects);
        }

        ingressStale = true;
        DataplaneChanges(effects);
        effects.ZonesChanged = true;
        DigestGossip(now, effects);
    }
}
