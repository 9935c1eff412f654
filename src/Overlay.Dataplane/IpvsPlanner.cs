using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// Services of IPVS. A destination that is not wanted any more gets nothing new (weight 0), and is deleted when an observation
/// after that shows that it has no connection: with it, its connections would end. Datagrams are sent elsewhere at once.
/// </summary>
internal static class IpvsPlanner
{
    public static void Plan(Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual)
    {
        if (wish.IpvsTimeouts is { } timeouts && timeouts != actual.IpvsTimeouts)
        {
            stages.Ipvs.Add(new Operation.SetIpvsTimeouts(name, timeouts));
        }

        foreach (IpvsService wanted in wish.Ipvs.Values)
        {
            actual.Ipvs.TryGetValue(wanted.Mark, out IpvsService? present);
            IpvsService target = present is null || !wanted.HasConnections ? wanted : WithLeaving(wanted, present);
            if (present is null || !target.Does(present))
            {
                IEnumerable<IPAddress> gone = present?.Destinations.Except(target.Destinations).Select(static d => d.Address) ?? [];
                stages.Ipvs.Add(new Operation.SetIpvsService(name, target, gone.ToImmutableSortedSet(AddressOrder.Instance)));
            }
        }

        // After the chains that led there.
        stages.Removals.AddRange(actual.Ipvs.Values.Where(s => !wish.Ipvs.ContainsKey(s.Mark)).Select(s => new Operation.DeleteIpvsService(name, s)));
    }

    /// <summary>With those that are there and have, or may have, connections.</summary>
    private static IpvsService WithLeaving(IpvsService wanted, IpvsService present) => wanted with
    {
        Destinations = wanted.Destinations.Union(present.Destinations
            .Where(d => !wanted.Destinations.Contains(d) && d is not { Weight: 0, Connections: 0 }).Select(static d => d with { Weight = 0 })),
    };
}
