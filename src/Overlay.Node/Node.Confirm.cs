using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>A request is answered when the disk and the kernel have both confirmed it; what fails is undone.</summary>
public sealed partial class Node
{
    private readonly SortedDictionary<long, Confirmation> confirmations = [];

    /// <summary>What a request still waits for before it is answered.</summary>
    private sealed record Confirmation(long RequestId, EndpointState Endpoint, bool Attaching, long Persist, long Dataplane)
    {
        public bool Persisted { get; init; }

        public bool Programmed { get; init; }
    }

    /// <summary>The state of that revision is on disk, or could not be written.</summary>
    public void Persisted(long revision, string? error, Instant now, NodeEffects effects)
    {
        if (error is null)
        {
            ReleaseWritten(revision, effects);
        }

        foreach (Confirmation confirmation in confirmations.Values.Where(c => !c.Persisted && c.Persist <= revision).ToArray())
        {
            if (error is null)
            {
                Confirm(confirmation with { Persisted = true }, effects);
                continue;
            }

            confirmations.Remove(confirmation.RequestId);
            if (confirmation.Attaching && endpoints.ContainsKey(confirmation.Endpoint.Id))
            {
                Remove(confirmation.Endpoint, UnixMsAt(now), "undo", now, effects);
            }

            effects.Completions.Add(new(confirmation.RequestId, null, new(
                RefusalKind.Unavailable,
                $"Cannot {(confirmation.Attaching ? "attach" : "detach")} {confirmation.Endpoint.Name}.",
                $"The agent's state could not be written: {error}.",
                "Make room in the agent's state folder and try again.")));
        }

        DigestGossip(now, effects);
    }

    /// <summary>The kernel holds <see cref="Inputs"/> of that revision, but for the endpoints that failed.</summary>
    public void Programmed(long revision, IReadOnlyList<EndpointFailure> failures, Instant now, NodeEffects effects)
    {
        ForgetLeftSandboxes(revision, now);
        ingressStale |= endpoints.Values.Any(static e => e.Status != EndpointStatus.Ready);
        foreach (EndpointState endpoint in endpoints.Values.ToArray())
        {
            EndpointFailure? failure = failures.FirstOrDefault(f => f.Endpoint == endpoint.Id);
            if (failure is not null)
            {
                Fail(endpoint, failure, now, effects);
            }
            else if (endpoint.Status != EndpointStatus.Ready && IsProgrammed(endpoint, revision))
            {
                bool recovered = endpoint.Status == EndpointStatus.Failed;
                endpoints[endpoint.Id] = endpoint with { Status = EndpointStatus.Ready, Error = "", LostSince = null };
                effects.ZonesChanged = true;
                if (recovered)
                {
                    Announce(endpoint, now, effects);
                    BalanceAgain(endpoint, effects);
                }
            }
        }

        foreach (Confirmation confirmation in confirmations.Values.Where(c => !c.Programmed && c.Dataplane <= revision).ToArray())
        {
            EndpointFailure? failure = failures.FirstOrDefault(f => f.Endpoint == confirmation.Endpoint.Id);
            if (failure is null || !confirmation.Attaching || !endpoints.ContainsKey(confirmation.Endpoint.Id))
            {
                Confirm(confirmation with { Programmed = true }, effects);
                continue;
            }

            confirmations.Remove(confirmation.RequestId);
            Remove(confirmation.Endpoint, UnixMsAt(now), "undo", now, effects);
            effects.Completions.Add(new(confirmation.RequestId, null, new(
                failure.SandboxGone ? RefusalKind.NotFound : RefusalKind.Unavailable,
                $"Cannot attach {confirmation.Endpoint.Name}.",
                $"The kernel refused: {failure.Error}.",
                failure.SandboxGone ? "Create the sandbox first: overlayd sandbox create NAME." : "See the agent's log for the kernel's answer.")));
        }

        TendHealth(now, effects);
        DigestGossip(now, effects);
    }

    /// <summary>A backend has failed, or is back.</summary>
    private void BalanceAgain(EndpointState endpoint, NodeEffects effects)
    {
        if (IsBalanced(endpoint))
        {
            DataplaneChanges(effects);
        }
    }

    private bool IsProgrammed(EndpointState endpoint, long revision) =>
        !confirmations.Values.Any(c => c.Endpoint.Id == endpoint.Id && c.Attaching && c.Dataplane > revision);

    private void Confirm(Confirmation confirmation, NodeEffects effects)
    {
        if (!confirmation.Persisted || !confirmation.Programmed)
        {
            confirmations[confirmation.RequestId] = confirmation;
            return;
        }

        confirmations.Remove(confirmation.RequestId);
        if (confirmation.Attaching && !endpoints.ContainsKey(confirmation.Endpoint.Id))
        {
            effects.Completions.Add(new(confirmation.RequestId, null, new(
                RefusalKind.Conflict, $"Cannot attach {confirmation.Endpoint.Name}.",
                "It was detached, or its network was removed, meanwhile.", "Attach again if that was not meant.")));
            return;
        }

        EndpointState endpoint = endpoints.GetValueOrDefault(confirmation.Endpoint.Id, confirmation.Endpoint);
        effects.Completions.Add(new(confirmation.RequestId, endpoint, null));
    }

    private void Fail(EndpointState endpoint, EndpointFailure failure, Instant now, NodeEffects effects)
    {
        if (endpoint.Status == EndpointStatus.Failed && endpoint.Error == failure.Error)
        {
            return;
        }

        ingressStale = true;
        endpoints[endpoint.Id] = endpoint with
        {
            Status = EndpointStatus.Failed,
            Error = failure.Error,
            LostSince = failure.SandboxGone ? endpoint.LostSince ?? now : null,
            // What comes back in its place has still to begin.
            Health = failure.SandboxGone && endpoint.Health != EndpointHealth.Unspecified ? EndpointHealth.Starting : endpoint.Health,
        };
        if (endpoint.Status != EndpointStatus.Failed)
        {
            BalanceAgain(endpoint, effects);
        }

        if (failure.SandboxGone)
        {
            // Nobody can be behind it: the other nodes need not send there.
            swim.Delete(endpoint.Network.ToString(), endpoint.Id.ToString(), now, effects.Gossip);
            effects.ZonesChanged = true;
        }

        string network = intent.Network(endpoint.Network.ToString())?.Name ?? "";
        effects.Events.Add(new NodeEvent.EndpointChanged(endpoint.Id, endpoint.Name, network, "fail", failure.Error));
    }
}
