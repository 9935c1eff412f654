using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Gossip.Tables;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// Attaching and detaching: an address from this node's blocks (or a manager's lease or reservation first), then the
/// endpoint is announced and programmed at once, and answered when the kernel and the disk have confirmed it.
/// </summary>
public sealed partial class Node
{
    private readonly SortedDictionary<long, PendingAttach> waiting = [];

    /// <summary>Given to the newest sandbox since this start; null: to none.</summary>
    private ulong? lastGatewaySlot;

    public void Attach(AttachCommand command, Instant now, NodeEffects effects)
    {
        PendingAttach attach = new(command, new(NewId()), now + settings.LeaseTimeout);
        Proceed(attach, now, effects);
        DigestGossip(now, effects);
    }

    public void Detach(DetachCommand command, Instant now, NodeEffects effects)
    {
        Outcome<EndpointState> found = FindEndpoint(command);
        if (found.Refusal is { } refusal)
        {
            effects.Completions.Add(new(command.RequestId, null, refusal));
            return;
        }

        EndpointState endpoint = found.Value;
        if (endpoint.Sandbox == NamespaceName.Ingress)
        {
            effects.Completions.Add(new(command.RequestId, null, new(
                RefusalKind.Conflict, $"Endpoint {endpoint.Name} is not detached.", "It is this node's own way to published ports.",
                "It goes with its network, when no service publishes ports of all nodes: see `overlayd service ls`.")));
            return;
        }

        Remove(endpoint, command.UnixMs, "detach", now, effects);
        confirmations[command.RequestId] =
            new(command.RequestId, endpoint, Attaching: false, PersistRevision, DataplaneRevision);
        DigestGossip(now, effects);
    }

    /// <summary>Takes an attach as far as it can go now: to its end, or to a question for a manager.</summary>
    private void Proceed(PendingAttach attach, Instant now, NodeEffects effects)
    {
        AttachCommand command = attach.Command;
        waiting.Remove(command.RequestId);
        if (Prepare(attach) is { } refusal)
        {
            GiveBack(attach, effects);
            effects.Completions.Add(new(command.RequestId, null, refusal));
            return;
        }

        NetworkObject network = intent.Network(attach.Network.ToString())!;
        AddressAnswer answer = TakeAddresses(attach, network);
        if (answer.Refusal is { } exhausted)
        {
            GiveBack(attach, effects);
            effects.Completions.Add(new(command.RequestId, null, exhausted));
            return;
        }

        if (answer.Wanted is { } wanted)
        {
            long question = questions.Ask(wanted, effects);
            attach.LeasesAsked += wanted is ManagerRequest.Lease && question != attach.WaitingFor ? 1 : 0;
            attach.WaitingFor = question;
            waiting[command.RequestId] = attach;
            return;
        }

        Outcome<EndpointState> made = Make(attach, network);
        if (made.Refusal is { } full)
        {
            GiveBack(attach, effects);
            effects.Completions.Add(new(command.RequestId, null, full));
            return;
        }

        EndpointState endpoint = made.Value;
        endpoints[endpoint.Id] = endpoint;
        leftSandboxes.Remove(endpoint.Sandbox);
        FollowNetworks(now, effects);
        if (Announce(endpoint, now, effects) is var announced && announced != PutOutcome.Done)
        {
            endpoints.Remove(endpoint.Id);
            LeaveSandbox(endpoint.Sandbox, effects);
            FollowNetworks(now, effects);
            GiveBack(attach, effects);
            effects.Completions.Add(new(command.RequestId, null, new(
                RefusalKind.Exhausted, $"Cannot attach {command.SandboxText} to {network.Name}.",
                $"This node announces as much as it may ({announced}).", "Detach something here, or attach on another node.")));
            return;
        }

        Persist(effects);
        DataplaneChanges(effects);
        effects.ZonesChanged = true;
        effects.Events.Add(new NodeEvent.EndpointChanged(
            endpoint.Id, endpoint.Name, network.Name, "attach", $"{endpoint.Ipv4} {endpoint.Ipv6} in {endpoint.Sandbox}"));
        confirmations[command.RequestId] =
            new(command.RequestId, endpoint, Attaching: true, PersistRevision, DataplaneRevision);
        AskForLeasesAheadOfNeed(effects);
    }

    private Outcome<EndpointState> Make(PendingAttach attach, NetworkObject network)
    {
        AttachCommand command = attach.Command;
        int slot = 0;
        if (!network.Internal)
        {
            ulong after = lastGatewaySlot ?? StableHash.Of(attach.Id.ToString());
            Outcome<int> place = GatewaySlots.For(command.Sandbox, after, endpoints.Values, settings.GatewayPrefix);
            if (place.Refusal is { } refusal)
            {
                return refusal;
            }

            slot = place.Value;
            lastGatewaySlot = endpoints.Values.Any(e => e.GatewaySlot == slot) ? lastGatewaySlot : (ulong)slot;
        }

        EndpointState made = new()
        {
            Id = attach.Id,
            Network = NetworkId.Parse(network.Id),
            Segment = attach.Segment ?? 0,
            Sandbox = command.Sandbox,
            Interface = InterfaceFor(command),
            Mac = command.Mac ?? addresses.NewMac(),
            Ipv4 = attach.Ipv4,
            Ipv6 = attach.Ipv6,
            Name = NameFor(command)!,
            Aliases = command.Aliases,
            Service = attach.Service,
            Weight = attach.Service is null ? 0 : command.Weight,
            GatewaySlot = slot,
            CreatedUnixMs = command.UnixMs,
            Trace = command.Trace,
            Reserved4 = attach.Reserved4,
            Reserved6 = attach.Reserved6,
            HealthCommand = attach.Service is null ? "" : command.HealthCommand,
        };
        return HealthPlanOf(made) is null ? made : made with { Health = EndpointHealth.Starting };
    }

    private static string? NameFor(AttachCommand command) =>
        command.Name.Length > 0 ? command.Name : DnsName.FromSandbox(command.SandboxText);

    private string InterfaceFor(AttachCommand command)
    {
        if (command.Interface.Length > 0)
        {
            return command.Interface;
        }

        for (int n = 0; ; n++)
        {
            string name = $"eth{n}";
            if (!command.InterfacesInUse.Contains(name)
                && !endpoints.Values.Any(e => e.Sandbox == command.Sandbox && e.Interface == name))
            {
                return name;
            }
        }
    }

    private void Remove(EndpointState endpoint, long unixMs, string action, Instant now, NodeEffects effects)
    {
        endpoints.Remove(endpoint.Id);
        ingressStale = true;
        swim.Delete(endpoint.Network.ToString(), endpoint.Id.ToString(), now, effects.Gossip);
        Persist(effects);
        GiveBack(endpoint, endpoint.Ipv4, endpoint.Reserved4, unixMs);
        GiveBack(endpoint, endpoint.Ipv6, endpoint.Reserved6, unixMs);
        FollowNetworks(now, effects);
        DataplaneChanges(effects);
        LeaveSandbox(endpoint.Sandbox, effects);
        effects.ZonesChanged = true;
        string network = intent.Network(endpoint.Network.ToString())?.Name ?? endpoint.Network.ToString();
        effects.Events.Add(new NodeEvent.EndpointChanged(endpoint.Id, endpoint.Name, network, action, ""));
    }

    /// <summary>A node that leaves withdraws what it has, as a drained one does; earlier versions heed no more of it than that no service has it.</summary>
    private PutOutcome Announce(EndpointState endpoint, Instant now, NodeEffects effects) =>
        swim.Put(
            endpoint.Network.ToString(), endpoint.Id.ToString(),
            RemoteEndpointRecord.Encode(
                endpoint with { Service = isLeaving ? null : endpoint.Service, Weight = WeightOf(endpoint) }, settings.Vtep, isWithdrawn: IsDrained(Id)),
            now, effects.Gossip);

    private void RetryAttaches(Instant now, NodeEffects effects)
    {
        foreach (PendingAttach attach in waiting.Values.ToArray())
        {
            Proceed(attach, now, effects);
        }
    }

    private void ExpireAttaches(Instant now, NodeEffects effects)
    {
        foreach (PendingAttach attach in waiting.Values.Where(a => a.Deadline <= now).ToArray())
        {
            waiting.Remove(attach.Command.RequestId);
            GiveBack(attach, effects);
            ReleaseOrphans(effects);
            effects.Completions.Add(new(attach.Command.RequestId, null, new(
                RefusalKind.Unavailable,
                $"Cannot attach {attach.Command.SandboxText} to {attach.Command.Network}.",
                "This node has no free address of its own, and no manager answered.",
                "See whether a manager is reachable: overlayd status.")));
        }
    }

    private void ExpireLostSandboxes(Instant now, NodeEffects effects)
    {
        foreach (EndpointState endpoint in endpoints.Values
            .Where(e => e.LostSince is { } since && since + settings.LostSandboxTimeout <= now).ToArray())
        {
            Remove(endpoint, UnixMsAt(now), "remove", now, effects);
        }
    }

    private Instant NextAttachDeadline()
    {
        Instant next = Instant.Never;
        foreach (PendingAttach attach in waiting.Values)
        {
            next = Instant.Min(next, attach.Deadline);
        }

        foreach (EndpointState endpoint in endpoints.Values)
        {
            if (endpoint.LostSince is { } since)
            {
                next = Instant.Min(next, since + settings.LostSandboxTimeout);
            }
        }

        return next;
    }

    private ulong NewId()
    {
        ulong id;
        do
        {
            id = prng.NextUInt64();
        }
        while (id == 0);
        return id;
    }
}
