using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
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
    private const int MaxLeasesPerAttach = 4;

    private readonly SortedDictionary<long, PendingAttach> waiting = [];
    private readonly SortedSet<(NetworkId Network, int Segment, bool Ipv6)> leasesAsked = [];
    private long lastRequest;

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
        Remove(endpoint, command.UnixMs, "detach", now, effects);
        confirmations[command.RequestId] =
            new(command.RequestId, endpoint, Attaching: false, PersistRevision, DataplaneRevision);
        DigestGossip(now, effects);
    }

    /// <summary>A manager leased a block or reserved an address.</summary>
    public void Granted(
        long requestId, LeaseObject? lease, ReservationObject? reservation, Instant now, NodeEffects effects)
    {
        if (lease is not null)
        {
            intent.Learn(new StoreObject { Lease = lease });
            addresses.SetLeases(intent.Leases, intent.Networks);
            leasesAsked.Clear();
            Persist(effects);
        }

        if (reservation is not null && IPAddress.TryParse(reservation.Address, out IPAddress? address))
        {
            foreach (PendingAttach attach in waiting.Values.Where(a => a.WaitingFor == requestId))
            {
                if (address.AddressFamily == AddressFamily.InterNetwork)
                {
                    attach.Ipv4 = address;
                    attach.Reserved4 = true;
                }
                else
                {
                    attach.Ipv6 = address;
                    attach.Reserved6 = true;
                }
            }
        }

        RetryAttaches(now, effects);
        DigestGossip(now, effects);
    }

    /// <summary>A manager refused, or none could be asked.</summary>
    public void Refused(long requestId, Refusal refusal, Instant now, NodeEffects effects)
    {
        leasesAsked.Clear();
        foreach (PendingAttach attach in waiting.Values.Where(a => a.WaitingFor == requestId).ToArray())
        {
            waiting.Remove(attach.Command.RequestId);
            GiveBack(attach, effects);
            effects.Completions.Add(new(attach.Command.RequestId, null, refusal));
        }

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

        NetworkObject network = intent.FindNetwork(command.Network).Value;
        AddressAnswer answer = TakeAddresses(attach, network);
        if (answer.Refusal is { } exhausted)
        {
            GiveBack(attach, effects);
            effects.Completions.Add(new(command.RequestId, null, exhausted));
            return;
        }

        if (answer.Request is { } request)
        {
            attach.WaitingFor = request.RequestId;
            waiting[command.RequestId] = attach;
            effects.ManagerRequests.Add(request);
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
        FollowNetworks(now, effects);
        if (Announce(endpoint, now, effects) is var announced && announced != PutOutcome.Done)
        {
            endpoints.Remove(endpoint.Id);
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

    private readonly record struct AddressAnswer(Refusal? Refusal, ManagerRequest? Request);

    private AddressAnswer TakeAddresses(PendingAttach attach, NetworkObject network)
    {
        NetworkId id = NetworkId.Parse(network.Id);
        int first = attach.Segment ?? 0;
        int last = attach.Segment ?? network.Segments.Count - 1;
        AddressAnswer answer = default;
        for (int segment = first; segment <= last; segment++)
        {
            answer = TakeIn(attach, network, id, segment);
            if (answer.Refusal is not { Kind: RefusalKind.Exhausted })
            {
                if (answer.Refusal is null && answer.Request is null)
                {
                    attach.Segment = segment;
                }

                return answer;
            }
        }

        return answer;
    }

    private AddressAnswer TakeIn(PendingAttach attach, NetworkObject network, NetworkId id, int segment)
    {
        Segment ranges = network.Segments[segment];
        if (ranges.Ipv4 is not null && attach.Ipv4 is null)
        {
            AddressAnswer answer = TakeOne(attach, network, id, segment, ipv6: false, attach.Command.Ipv4, out IPAddress? taken);
            if (taken is null)
            {
                return answer;
            }

            attach.Ipv4 = taken;
        }

        if (ranges.Ipv6 is not null && attach.Ipv6 is null)
        {
            AddressAnswer answer = TakeOne(attach, network, id, segment, ipv6: true, attach.Command.Ipv6, out IPAddress? taken);
            if (taken is null)
            {
                return answer;
            }

            attach.Ipv6 = taken;
        }

        return default;
    }

    private AddressAnswer TakeOne(
        PendingAttach attach, NetworkObject network, NetworkId id, int segment, bool ipv6, IPAddress? wanted, out IPAddress? taken)
    {
        AddressResult result = wanted is null
            ? addresses.Allocate(id, segment, ipv6, attach.Command.UnixMs)
            : addresses.Claim(id, segment, wanted, attach.Command.UnixMs);
        taken = result.Address;
        if (taken is not null || result.Refusal is not null)
        {
            return new(result.Refusal, null);
        }

        if (wanted is not null)
        {
            return new(null, new ManagerRequest.Reserve(++lastRequest, id, wanted, attach.Id));
        }

        if (attach.LeasesAsked++ >= MaxLeasesPerAttach)
        {
            return new(
                new(
                    RefusalKind.Exhausted, $"Cannot attach to {network.Name}.", "The blocks that managers lease hold no free address.",
                    $"See who holds them: overlayd network inspect {network.Name} --verbose."),
                null);
        }

        return new(null, new ManagerRequest.Lease(++lastRequest, id, segment, ipv6));
    }

    private Outcome<EndpointState> Make(PendingAttach attach, NetworkObject network)
    {
        AttachCommand command = attach.Command;
        int slot = 0;
        if (!network.Internal)
        {
            Outcome<int> place = GatewaySlots.For(command.Sandbox, endpoints.Values, settings.GatewayPrefix);
            if (place.Refusal is { } refusal)
            {
                return refusal;
            }

            slot = place.Value;
        }

        return new EndpointState
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
            GatewaySlot = slot,
            CreatedUnixMs = command.UnixMs,
            Trace = command.Trace,
            Reserved4 = attach.Reserved4,
            Reserved6 = attach.Reserved6,
        };
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
        swim.Delete(endpoint.Network.ToString(), endpoint.Id.ToString(), now, effects.Gossip);
        GiveBack(endpoint.Network, endpoint.Ipv4, endpoint.Reserved4, unixMs, effects);
        GiveBack(endpoint.Network, endpoint.Ipv6, endpoint.Reserved6, unixMs, effects);
        FollowNetworks(now, effects);
        Persist(effects);
        DataplaneChanges(effects);
        effects.ZonesChanged = true;
        string network = intent.Network(endpoint.Network.ToString())?.Name ?? endpoint.Network.ToString();
        effects.Events.Add(new NodeEvent.EndpointChanged(endpoint.Id, endpoint.Name, network, action, ""));
    }

    private void GiveBack(PendingAttach attach, NodeEffects effects)
    {
        if (intent.FindNetwork(attach.Command.Network).TryGet(out NetworkObject? network, out _))
        {
            NetworkId id = NetworkId.Parse(network.Id);
            GiveBack(id, attach.Ipv4, attach.Reserved4, attach.Command.UnixMs, effects);
            GiveBack(id, attach.Ipv6, attach.Reserved6, attach.Command.UnixMs, effects);
        }
    }

    private void GiveBack(NetworkId network, IPAddress? address, bool reserved, long unixMs, NodeEffects effects)
    {
        if (address is null)
        {
            return;
        }

        if (reserved)
        {
            effects.ManagerRequests.Add(new ManagerRequest.Release(++lastRequest, network, address));
        }
        else
        {
            addresses.Release(network, address, unixMs);
        }
    }

    private PutOutcome Announce(EndpointState endpoint, Instant now, NodeEffects effects) =>
        swim.Put(
            endpoint.Network.ToString(), endpoint.Id.ToString(), RemoteEndpointRecord.Encode(endpoint, settings.Vtep), now,
            effects.Gossip);

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

    private void AskForLeasesAheadOfNeed(NodeEffects effects)
    {
        foreach ((NetworkId network, int segment, bool ipv6) in addresses.LowWater())
        {
            if (followed.Contains(network) && leasesAsked.Add((network, segment, ipv6)))
            {
                effects.ManagerRequests.Add(new ManagerRequest.Lease(++lastRequest, network, segment, ipv6));
            }
        }
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
