using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// Health: whether the backends here do what their service is for. Others hear of it by gossip, and names and balancing leave out who
/// is not healthy; its own name and address stay.
/// </summary>
public sealed partial class Node
{
    private const int MostReasonCharacters = 200;

    private readonly SortedDictionary<EndpointId, HealthTracker> trackers = [];
    private Instant healthDeadline = Instant.Never;
    private long lastQuestion;

    /// <summary>Whether a service's name leads to a backend that its owner says this of.</summary>
    public static bool IsServing(EndpointHealth health) => health is EndpointHealth.Unspecified or EndpointHealth.Healthy;

    /// <summary>Empty: nobody looks.</summary>
    public static string HealthText(EndpointHealth health) => health switch
    {
        EndpointHealth.Starting => "starting",
        EndpointHealth.Healthy => "healthy",
        EndpointHealth.Unhealthy => "unhealthy",
        _ => "",
    };

    /// <summary>What a probe found.</summary>
    /// <param name="fault">In a few words; null: it is well.</param>
    public void HealthTold(EndpointId id, long question, string? fault, Instant now, NodeEffects effects)
    {
        string? reason = fault?.Length > MostReasonCharacters ? fault[..MostReasonCharacters] : fault;
        if (!trackers.TryGetValue(id, out HealthTracker? tracker) || !endpoints.TryGetValue(id, out EndpointState? endpoint))
        {
            return;
        }

        if (tracker.Answer(question, reason, now))
        {
            SetHealth(endpoint, tracker.Health, tracker.Reason, now, effects);
            DigestGossip(now, effects);
        }
        else
        {
            endpoints[id] = endpoint with { HealthReason = tracker.Reason };
        }

        healthDeadline = Instant.Min(healthDeadline, tracker.Deadline);
    }

    private HealthPlan? HealthPlanOf(EndpointState endpoint) =>
        ServiceOf(endpoint.Network, endpoint.Service) is { } service ? HealthPlan.Of(service.Health, endpoint.HealthCommand) : null;

    /// <summary>Looks at those that are to be looked at, as intent and the kernel have them now.</summary>
    private void TendHealth(Instant now, NodeEffects effects)
    {
        foreach (EndpointId gone in trackers.Keys.Where(id => !endpoints.ContainsKey(id)).ToArray())
        {
            trackers.Remove(gone);
        }

        foreach (EndpointState endpoint in endpoints.Values.ToArray())
        {
            HealthPlan? plan = HealthPlanOf(endpoint);
            if (plan is null != (endpoint.Health == EndpointHealth.Unspecified))
            {
                // Who was in names before there was a check stays until it is found ill: a check alone is no outage.
                SetHealth(endpoint, plan is null ? EndpointHealth.Unspecified : EndpointHealth.Healthy, "", now, effects);
            }

            if (plan is null || endpoint.Status != EndpointStatus.Ready)
            {
                trackers.Remove(endpoint.Id);
            }
            else if (!trackers.TryGetValue(endpoint.Id, out HealthTracker? tracker))
            {
                EndpointState current = endpoints[endpoint.Id];
                trackers[endpoint.Id] = new(plan, current.Health, current.HealthReason, now, prng);
            }
            else if (tracker.Plan != plan)
            {
                tracker.Change(plan, now);
            }
        }

        healthDeadline = trackers.Values.Aggregate(Instant.Never, static (least, t) => Instant.Min(least, t.Deadline));
    }

    private void AskHealth(Instant now, NodeEffects effects)
    {
        if (healthDeadline > now)
        {
            return;
        }

        healthDeadline = Instant.Never;
        foreach ((EndpointId id, HealthTracker tracker) in trackers)
        {
            if (!endpoints.TryGetValue(id, out EndpointState? endpoint) || (endpoint.Ipv4 ?? endpoint.Ipv6) is not { } address)
            {
                // It was detached just now; its tracker goes when the kernel has confirmed that.
                continue;
            }

            if (tracker.Deadline <= now)
            {
                tracker.Ask(++lastQuestion, now);
                HealthPlan plan = tracker.Plan;
                effects.Probes.Add(new(
                    lastQuestion, id, endpoint.Name, endpoint.Sandbox, address, plan.Kind, plan.Port, plan.Path, plan.Command, plan.Timeout));
            }

            healthDeadline = Instant.Min(healthDeadline, tracker.Deadline);
        }
    }

    private void SetHealth(EndpointState endpoint, EndpointHealth health, string reason, Instant now, NodeEffects effects)
    {
        EndpointState changed = endpoint with { Health = health, HealthReason = reason };
        endpoints[endpoint.Id] = changed;
        ingressStale = true;
        if (endpoint.LostSince is null)
        {
            Announce(changed, now, effects);
        }

        if (IsServing(health) != IsServing(endpoint.Health))
        {
            BalanceAgain(changed, effects);
            effects.ZonesChanged = true;
        }

        Persist(effects);
        effects.Events.Add(new NodeEvent.HealthChanged(
            endpoint.Id, endpoint.Name, ServiceOf(endpoint.Network, endpoint.Service)?.Name ?? "", HealthText(health), reason));
    }
}
