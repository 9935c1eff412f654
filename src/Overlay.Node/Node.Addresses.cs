using System.Net;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>
/// Addresses of attaches: out of this node's blocks where it has one free, else by a manager's lease or reservation;
/// and their way back.
/// </summary>
public sealed partial class Node
{
    private const int MaxLeasesPerAttach = 4;

    private readonly ManagerQuestions questions = new();

    /// <summary>Releases that wait until the disk knows that the endpoint is gone.</summary>
    private readonly List<(long Revision, ManagerRequest.Release Release)> unwritten = [];

    /// <summary>Reservations whose release was answered, until intent says so too.</summary>
    private readonly SortedSet<(string Id, EndpointId Endpoint)> released = [];

    /// <summary>A manager leased a block, reserved an address or took one back.</summary>
    public void Granted(
        long requestId, LeaseObject? lease, ReservationObject? reservation, Instant now, NodeEffects effects)
    {
        Heard(questions.Answered(requestId));
        if (lease is not null)
        {
            intent.Learn(new StoreObject { Lease = lease });
            addresses.SetLeases(intent.Leases, intent.Networks);
            Persist(effects);
        }

        if (reservation is not null && IPAddress.TryParse(reservation.Address, out IPAddress? address))
        {
            if (waiting.Values.FirstOrDefault(a => a.WaitingFor == requestId) is { } attach)
            {
                attach.Reserve(address);
            }
            else if (NetworkId.TryParse(reservation.NetworkId, out NetworkId network)
                && EndpointId.TryParse(reservation.EndpointId, out EndpointId endpoint))
            {
                // It comes too late: nobody waits for it any more.
                questions.Ask(new ManagerRequest.Release(0, network, address, endpoint), effects);
            }
        }

        RetryAttaches(now, effects);
        DigestGossip(now, effects);
    }

    /// <summary>A manager refused, or none could be asked.</summary>
    public void Refused(long requestId, Refusal refusal, Instant now, NodeEffects effects)
    {
        Heard(questions.Answered(requestId));
        foreach (PendingAttach attach in waiting.Values.Where(a => a.WaitingFor == requestId).ToArray())
        {
            waiting.Remove(attach.Command.RequestId);
            GiveBack(attach, effects);
            effects.Completions.Add(new(attach.Command.RequestId, null, refusal));
        }

        ReleaseOrphans(effects);
        DigestGossip(now, effects);
    }

    /// <summary>What is in the way of an attach's addresses: nothing, a refusal, or something only a manager has.</summary>
    private readonly record struct AddressAnswer(Refusal? Refusal, ManagerRequest? Wanted);

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
                if (answer.Refusal is null && answer.Wanted is null)
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
            return new(null, new ManagerRequest.Reserve(0, id, wanted, attach.Id));
        }

        if (attach.LeasesAsked >= MaxLeasesPerAttach && !questions.IsOpen(attach.WaitingFor))
        {
            return new(
                new(
                    RefusalKind.Exhausted, $"Cannot attach to {network.Name}.", "The blocks that managers lease hold no free address.",
                    $"See who holds them: overlayd network inspect {network.Name} --verbose."),
                null);
        }

        return new(null, new ManagerRequest.Lease(0, id, segment, ipv6));
    }

    /// <summary>An attach did not come about: what it had is given back. No endpoint ever had it.</summary>
    private void GiveBack(PendingAttach attach, NodeEffects effects)
    {
        foreach ((IPAddress? address, bool reserved) in new[] { (attach.Ipv4, attach.Reserved4), (attach.Ipv6, attach.Reserved6) })
        {
            if (address is not null && reserved)
            {
                questions.Ask(new ManagerRequest.Release(0, attach.Network, address, attach.Id), effects);
            }
            else if (address is not null)
            {
                addresses.Release(attach.Network, address, attach.Command.UnixMs);
            }
        }
    }

    /// <summary>
    /// An endpoint is gone. A manager may give its reserved address to others only when the disk knows that too: after
    /// a crash before that the endpoint is there again.
    /// </summary>
    private void GiveBack(EndpointState endpoint, IPAddress? address, bool reserved, long unixMs)
    {
        if (address is not null && reserved)
        {
            unwritten.Add((PersistRevision, new(0, endpoint.Network, address, endpoint.Id)));
        }
        else if (address is not null)
        {
            addresses.Release(endpoint.Network, address, unixMs);
        }
    }

    /// <summary>The disk knows everything up to this revision.</summary>
    private void ReleaseWritten(long revision, NodeEffects effects)
    {
        foreach ((long _, ManagerRequest.Release release) in unwritten.Where(u => u.Revision <= revision))
        {
            questions.Ask(release, effects);
        }

        unwritten.RemoveAll(u => u.Revision <= revision);
    }

    /// <summary>
    /// Releases reservations of this node that no endpoint has and no attach waits for: their release, or the answer
    /// that they were made, was lost with an earlier life of the agent or on the line.
    /// </summary>
    private void ReleaseOrphans(NodeEffects effects)
    {
        released.RemoveWhere(r => !intent.Reservations.Any(known => IsOf(known, r)));
        foreach (ReservationObject reservation in intent.Reservations)
        {
            if (NetworkId.TryParse(reservation.NetworkId, out NetworkId network)
                && EndpointId.TryParse(reservation.EndpointId, out EndpointId endpoint)
                && IPAddress.TryParse(reservation.Address, out IPAddress? address)
                && !endpoints.ContainsKey(endpoint)
                && !waiting.Values.Any(a => a.Id == endpoint)
                && !unwritten.Exists(u => u.Release.Endpoint == endpoint)
                && !released.Contains((reservation.Id, endpoint)))
            {
                questions.Ask(new ManagerRequest.Release(0, network, address, endpoint), effects);
            }
        }
    }

    /// <summary>A release that was answered is not asked for again while news of it is on its way.</summary>
    private void Heard(ManagerRequest? answered)
    {
        if (answered is ManagerRequest.Release release)
        {
            released.Add(($"{release.Network}/{release.Address}", release.Endpoint));
        }
    }

    private static bool IsOf(ReservationObject reservation, (string Id, EndpointId Endpoint) known) =>
        reservation.Id == known.Id && reservation.EndpointId == known.Endpoint.ToString();

    private void AskForLeasesAheadOfNeed(NodeEffects effects)
    {
        foreach ((NetworkId network, int segment, bool ipv6) in addresses.LowWater())
        {
            if (followed.Contains(network))
            {
                questions.Ask(new ManagerRequest.Lease(0, network, segment, ipv6), effects);
            }
        }
    }
}
