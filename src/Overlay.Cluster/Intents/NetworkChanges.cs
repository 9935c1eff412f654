using System.Collections.Immutable;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Networks come and go; none changes while it exists.</summary>
internal static class NetworkChanges
{
    private const int MostNameCharacters = 63;
    private const uint LeastMtu = 576;
    private const uint LeastMtu6 = 1280;
    private const uint MostMtu = 65535;

    public static Outcome<Proposal<NetworkObject>> Create(ClusterState state, NetworkSpec spec, Draft draft)
    {
        string what = $"Network {Refusal.Quote(spec.Name)} was not created.";
        Invariant.Holds(NetworkId.TryParse(spec.Id, out _), "the caller makes network ids");
        Invariant.Holds(state.Network(spec.Id) is null, "the caller makes ids that are new");
        if (NameFault(state, spec.Name, what) is { } inName)
        {
            return inName;
        }

        if (LabelRules.Fault(spec.Labels, what) is { } inLabels)
        {
            return inLabels;
        }

        SubnetPlanner planner = new(state, spec, what);
        if (!planner.Plan().TryGet(out ImmutableArray<Segment> segments, out Refusal? refusal))
        {
            return refusal;
        }

        if (IngressNetwork.Fault(state, spec, segments, what) is { } inIngress)
        {
            return inIngress;
        }

        if (MtuFault(spec.Mtu, segments.Any(segment => segment.Ipv6 is not null), what) is { } inMtu)
        {
            return inMtu;
        }

        VniChoice vnis = new(state, what);
        for (int i = 0; i < segments.Length; i++)
        {
            bool given = i == 0 && spec.Vni != 0;
            if ((given ? vnis.Given(spec.Vni, segments[i]) : vnis.Automatic(segments[i])) is { } inVni)
            {
                return inVni;
            }
        }

        NetworkObject network = ObjectOf(spec, segments, draft.UnixMs);
        if (vnis.Cursor != state.Cluster!.NextVni)
        {
            ClusterObject cluster = state.Cluster.Clone();
            cluster.NextVni = vnis.Cursor;
            draft.Update(new() { Cluster = cluster });
        }

        draft.Create(new() { Network = network });
        LeasesAhead.ForNetwork(state, network, draft);
        return draft.Finish(network);
    }

    public static Outcome<Proposal<NetworkObject>> Remove(ClusterState state, string text, Draft draft)
    {
        if (!state.FindNetwork(text).TryGet(out NetworkObject? network, out Refusal? refusal))
        {
            return refusal;
        }

        if (ServicesFault(state, network) is { } inUse)
        {
            return inUse;
        }

        draft.Delete(ObjectKind.Network, network.Id);
        foreach (LeaseObject lease in state.LeasesOf(network.Id))
        {
            draft.Delete(ObjectKind.Lease, lease.Id);
        }

        foreach (ReservationObject reservation in state.ReservationsOf(network.Id))
        {
            draft.Delete(ObjectKind.Reservation, reservation.Id);
        }

        return draft.Finish(network);
    }

    private static Refusal? ServicesFault(ClusterState state, NetworkObject network)
    {
        string[] names =
        [
            .. state.Services.Where(service => service.NetworkId == network.Id).Concat(IngressNetwork.UsersOf(state, network))
                .Select(service => service.Name).Order(StringComparer.Ordinal),
        ];
        if (names.Length == 0)
        {
            return null;
        }

        bool few = names.Length <= Limits.NamesInRefusal;
        string shown = string.Join(", ", names.Take(Limits.NamesInRefusal)) + (few ? "" : ", …");
        return new(
            RefusalKind.Conflict, $"Network {network.Name} is not removed.",
            (network.Ingress ? "It carries published ports of " : "It has ")
                + (names.Length == 1 ? $"the service {shown}." : $"{names.Length} services: {shown}."),
            few
                ? $"Type `overlayd service rm {string.Join(' ', names)}` first."
                : $"Remove them first; see them all with `overlayd service ls{(network.Ingress ? "" : $" --filter network={network.Name}")}`.");
    }

    private static NetworkObject ObjectOf(NetworkSpec spec, ImmutableArray<Segment> segments, long unixMs)
    {
        NetworkObject network = new()
        {
            Id = spec.Id,
            Name = spec.Name,
            Mtu = spec.Mtu,
            Internal = spec.Internal || spec.Ingress,
            Attachable = spec.Attachable,
            Ingress = spec.Ingress,
            CreatedUnixMs = unixMs,
        };
        network.Segments.AddRange(segments);

        // In order, so that the bytes do not depend on how the labels were given.
        foreach ((string key, string value) in spec.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            network.Labels.Add(key, value);
        }

        return network;
    }

    private static Refusal? NameFault(ClusterState state, string name, string what)
    {
        bool valid = name.Length is > 0 and <= MostNameCharacters && char.IsAsciiLetterOrDigit(name[0])
            && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
        if (!valid)
        {
            return new(
                RefusalKind.Invalid, what,
                $"A network's name has 1 to {MostNameCharacters} letters, digits, '_', '.' or '-', "
                    + "and begins with a letter or digit.",
                "Choose such a name, for example `overlayd network create blue`.");
        }

        if (state.NetworkNamed(name) is { } namesake)
        {
            return new(
                RefusalKind.Conflict, what, $"Network {namesake.Id} has that name.",
                $"Choose another name, or type `overlayd network rm {name}` first.");
        }

        return state.NetworkCount < Limits.Networks
            ? null
            : new(
                RefusalKind.Exhausted, what, $"The cluster has {Limits.Networks} networks, the most it can have.",
                "Type `overlayd network rm` for networks that nobody needs.");
    }

    private static Refusal? MtuFault(uint mtu, bool ipv6, string what)
    {
        uint least = ipv6 ? LeastMtu6 : LeastMtu;
        return mtu == 0 || (mtu >= least && mtu <= MostMtu)
            ? null
            : new(
                RefusalKind.Invalid, what,
                $"The MTU {mtu} is outside {least} to {MostMtu}{(ipv6 ? ", and IPv6 needs at least 1280" : "")}.",
                "Choose `--mtu` in that range, or leave it out to follow the underlay.");
    }
}
