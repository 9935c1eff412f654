using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>
/// Finds subnets of networks that a host has a route for. A network is never made over a known route, but a host may
/// join, or get a route, later: what that route leads to is then out of reach from the network's sandboxes there.
/// </summary>
internal static class RouteOverlaps
{
    /// <summary>One sentence for each overlap.</summary>
    public static IEnumerable<string> Find(IEnumerable<NetworkObject> networks, IReadOnlyCollection<HostRoute> routes)
    {
        foreach (NetworkObject network in networks)
        {
            foreach (AddressRange range in network.Segments.SelectMany(static s => new[] { s.Ipv4, s.Ipv6 }).OfType<AddressRange>())
            {
                Prefix prefix = Prefix.Parse(range.Subnet);
                foreach (HostRoute route in routes.Where(route => Prefix.Parse(route.Destination).Overlaps(prefix)))
                {
                    yield return $"Subnet {range.Subnet} of network {network.Name} overlaps this host's route "
                        + $"{route.Destination} on '{route.Device}': its sandboxes here cannot reach what is behind that route.";
                }
            }
        }
    }
}
