using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Blocks and single addresses are given, rest, and come back.</summary>
internal static class AddressChanges
{
    public static Outcome<Proposal<LeaseObject>> Lease(
        ClusterState state, string networkId, uint segment, bool ipv6, string nodeId, Draft draft)
    {
        string what = $"Node {Refusal.Quote(nodeId)} got no addresses.";
        if (state.Node(nodeId) is not { } node)
        {
            return NodeChanges.NodeUnknown(nodeId, what);
        }

        if (state.Network(networkId) is not { } network)
        {
            return NetworkUnknown(networkId, what);
        }

        what = $"Node {node.Hostname} got no more addresses of network {Refusal.Quote(network.Name)}.";
        AddressPlan? plan = segment < network.Segments.Count
            ? AddressPlan.Of(network.Segments[(int)segment], ipv6)
            : null;
        if (plan is null)
        {
            return new Refusal(
                RefusalKind.Invalid, what,
                $"Segment {segment} of the network has no {(ipv6 ? "IPv6" : "IPv4")} subnet.",
                $"Type `overlayd network inspect {network.Name}` to see its subnets.");
        }

        if (LeasesAhead.LedgerOf(state, networkId, plan).Take(state.NodeCount) is not Prefix block)
        {
            return Exhausted(state, network, plan, what);
        }

        LeaseObject lease = LeasesAhead.LeaseOf(networkId, segment, nodeId, block);
        draft.Create(new() { Lease = lease });
        return draft.Finish(lease);
    }

    public static Outcome<Proposal<ReservationObject>> Reserve(
        ClusterState state, string networkId, string text, string nodeId, string endpointId, Draft draft)
    {
        string what = $"The address {Refusal.Quote(text)} was not given.";
        if (state.Node(nodeId) is null)
        {
            return NodeChanges.NodeUnknown(nodeId, what);
        }

        if (state.Network(networkId) is not { } network)
        {
            return NetworkUnknown(networkId, what);
        }

        if (!StaticAddress.Read(network, text, what).TryGet(out StaticAddress? found, out Refusal? refusal))
        {
            return refusal;
        }

        if (!EndpointId.TryParse(endpointId, out _))
        {
            return new Refusal(
                RefusalKind.Invalid, what, $"{Refusal.Quote(endpointId)} is not an endpoint id.", "Attach again.");
        }

        if (BlockFault(state, network, found.Address, nodeId, what, draft.UnixMs) is { } inBlock)
        {
            return inBlock;
        }

        ReservationObject wanted = new()
        {
            Id = $"{networkId}/{found.Address}",
            NetworkId = networkId,
            Address = found.Address.ToString(),
            NodeId = nodeId,
            EndpointId = endpointId,
        };
        if (state.Reservation(wanted.Id) is not { } present)
        {
            draft.Create(new() { Reservation = wanted });
            return draft.Finish(wanted);
        }

        return Take(state, present, wanted, what, draft);
    }

    public static Outcome<Proposal<ReservationObject>> Release(
        ClusterState state, string networkId, string text, string nodeId, string endpointId, Draft draft)
    {
        string what = $"The address {Refusal.Quote(text)} was not released.";
        if (!Address.TryParse(text, out Address address)
            || state.Reservation($"{networkId}/{address}") is not { } reservation)
        {
            return new Refusal(
                RefusalKind.NotFound, what, "No endpoint has it reserved.",
                "Type `overlayd endpoint ls` to see who has which address.");
        }

        if (reservation.ServiceId.Length > 0)
        {
            return new Refusal(
                RefusalKind.NotPermitted, what, "It is, or was, the virtual address of a service.",
                "Type `overlayd service rm` for the service instead.");
        }

        if (reservation.NodeId != nodeId)
        {
            return new Refusal(
                RefusalKind.NotPermitted, what, $"It belongs to {NodeName(state, reservation.NodeId)}.",
                "Release it on that node.");
        }

        if (reservation.ReleasedUnixMs != 0 || (endpointId.Length > 0 && reservation.EndpointId != endpointId))
        {
            // Released already; another endpoint of the node may even have it by now.
            return draft.Finish(reservation);
        }

        ReservationObject resting = reservation.Clone();
        resting.ReleasedUnixMs = draft.UnixMs;
        draft.Update(new() { Reservation = resting });
        return draft.Finish(resting);
    }

    /// <summary>
    /// A removed node's addresses rest: its endpoints may still be running, and others may still send to them.
    /// </summary>
    public static void ReleaseAllOf(ClusterState state, string nodeId, Draft draft)
    {
        foreach (LeaseObject lease in state.Leases.Where(lease => lease.NodeId == nodeId && lease.ReleasedUnixMs == 0))
        {
            LeaseObject resting = lease.Clone();
            resting.ReleasedUnixMs = draft.UnixMs;
            draft.Update(new() { Lease = resting });
        }

        foreach (ReservationObject reservation in state.Reservations
            .Where(reservation => reservation.NodeId == nodeId && reservation.ReleasedUnixMs == 0))
        {
            ReservationObject resting = reservation.Clone();
            resting.ReleasedUnixMs = draft.UnixMs;
            draft.Update(new() { Reservation = resting });
        }
    }

    public static Transaction Sweep(ClusterState state, Draft draft)
    {
        foreach (LeaseObject lease in state.Leases)
        {
            if (lease.ReleasedUnixMs != 0 && RestLeft(state, lease.ReleasedUnixMs, draft.UnixMs) <= 0)
            {
                draft.Delete(ObjectKind.Lease, lease.Id);
            }
        }

        foreach (ReservationObject reservation in state.Reservations)
        {
            if (reservation.ReleasedUnixMs != 0 && RestLeft(state, reservation.ReleasedUnixMs, draft.UnixMs) <= 0)
            {
                draft.Delete(ObjectKind.Reservation, reservation.Id);
            }
            else if (IsOrphan(state, reservation))
            {
                ReservationObject resting = reservation.Clone();
                resting.ReleasedUnixMs = draft.UnixMs;
                draft.Update(new() { Reservation = resting });
            }
        }

        return draft.Finish();
    }

    /// <summary>The virtual address of a service that a manager removed which knew of no virtual addresses.</summary>
    public static bool IsOrphan(ClusterState state, ReservationObject reservation) =>
        reservation.ServiceId.Length > 0 && reservation.ReleasedUnixMs == 0 && state.Service(reservation.ServiceId) is null;

    private static Outcome<Proposal<ReservationObject>> Take(
        ClusterState state, ReservationObject present, ReservationObject wanted, string what, Draft draft)
    {
        bool sameNode = present.NodeId == wanted.NodeId;
        if (present.ReleasedUnixMs == 0)
        {
            return sameNode && present.EndpointId == wanted.EndpointId
                ? draft.Finish(present)
                : TakenFault(state, present, what, draft.UnixMs);
        }

        // The node that released it knows that its own endpoint is gone; for any other it rests.
        if (!sameNode)
        {
            return TakenFault(state, present, what, draft.UnixMs);
        }

        draft.Update(new() { Reservation = wanted });
        return draft.Finish(wanted);
    }

    /// <summary>Why nobody else can have an address that is reserved, or was and rests.</summary>
    public static Refusal TakenFault(ClusterState state, ReservationObject present, string what, long unixMs)
    {
        bool ofService = present.ServiceId.Length > 0;
        if (present.ReleasedUnixMs != 0)
        {
            string before = ofService
                ? $"{present.Address} was the virtual address of a service that was removed"
                : $"{present.Address} was released by {NodeName(state, present.NodeId)}";
            return Resting(what, before, RestLeft(state, present.ReleasedUnixMs, unixMs));
        }

        return ofService
            ? new(
                RefusalKind.Conflict, what,
                $"{present.Address} is the virtual address of service {state.Service(present.ServiceId)?.Name ?? present.ServiceId}.",
                "Choose another address; `overlayd service ls` shows those of services.")
            : new(
                RefusalKind.Conflict, what,
                $"Endpoint {present.EndpointId} on {NodeName(state, present.NodeId)} has {present.Address}.",
                "Choose another address, or type `overlayd detach` for that endpoint first.");
    }

    /// <summary>Why an address that lies in a leased block is not given by itself.</summary>
    /// <param name="nodeId">Who asks; empty: no node, but a service.</param>
    public static Refusal? BlockFault(
        ClusterState state, NetworkObject network, Address address, string nodeId, string what, long unixMs)
    {
        LeaseObject? lease = state.LeasesOf(network.Id)
            .FirstOrDefault(each => Prefix.Parse(each.Block).Contains(address));
        if (lease is null)
        {
            return null;
        }

        if (lease.ReleasedUnixMs != 0)
        {
            return Resting(
                what, $"{address} was released by {NodeName(state, lease.NodeId)}", RestLeft(state, lease.ReleasedUnixMs, unixMs));
        }

        return lease.NodeId == nodeId
            ? new(
                RefusalKind.Conflict, what,
                $"{address} lies in the block {lease.Block} that {NodeName(state, nodeId)} has leased and gives by itself.",
                "Attach again: the node knows its blocks by now.")
            : new(
                RefusalKind.Conflict, what,
                $"{address} lies in the block {lease.Block} that {NodeName(state, lease.NodeId)} has leased.",
                "Choose an address outside the leased blocks, which `overlayd network inspect` lists.");
    }

    private static Refusal Resting(string what, string before, long restMs) => new(
        RefusalKind.Conflict, what, $"{before} and rests for {Math.Max(1, (restMs + 999) / 1000)} s more.",
        "Try again after that, or choose another address.");

    public static Refusal Exhausted(ClusterState state, NetworkObject network, AddressPlan plan, string what)
    {
        SortedDictionary<string, int> blocks = new(StringComparer.Ordinal);
        int resting = 0;
        foreach (LeaseObject lease in state.LeasesOf(network.Id)
            .Where(lease => plan.Range.Overlaps(Prefix.Parse(lease.Block))))
        {
            resting += lease.ReleasedUnixMs == 0 ? 0 : 1;
            if (lease.ReleasedUnixMs == 0)
            {
                blocks[lease.NodeId] = blocks.GetValueOrDefault(lease.NodeId) + 1;
            }
        }

        List<string> holders =
        [
            .. blocks.OrderByDescending(pair => pair.Value).Take(Limits.NamesInRefusal).Select(pair =>
                $"{NodeName(state, pair.Key)} holds {pair.Value} {(pair.Value == 1 ? "block" : "blocks")}"),
        ];
        if (blocks.Count > Limits.NamesInRefusal)
        {
            holders.Add($"{blocks.Count - Limits.NamesInRefusal} other nodes hold the rest");
        }

        if (resting > 0)
        {
            holders.Add($"{resting} rest until their quarantine has passed");
        }

        return new(
            RefusalKind.Exhausted, what,
            $"Network {Refusal.Quote(network.Name)} has no free address in {plan.Range}: {string.Join(", ", holders)}.",
            "Type `overlayd network create` with a larger `--subnet`, or `overlayd node rm` for nodes that are gone.");
    }

    private static Refusal NetworkUnknown(string networkId, string what) => new(
        RefusalKind.NotFound, what, $"There is no network {Refusal.Quote(networkId)} (any more).",
        "Type `overlayd network ls` to see the networks.");

    private static string NodeName(ClusterState state, string nodeId) =>
        state.Node(nodeId) is { } node ? $"node {node.Hostname}" : $"node {nodeId}, which has left,";

    private static long RestLeft(ClusterState state, long releasedUnixMs, long unixMs) =>
        releasedUnixMs + (state.Cluster!.QuarantineSeconds * 1000) - unixMs;
}
