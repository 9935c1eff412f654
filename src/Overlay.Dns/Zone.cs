using System.Collections.Immutable;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dns;

/// <summary>The names of one network: an immutable snapshot, made anew when an endpoint comes or goes.</summary>
public sealed record Zone
{
    public required NetworkId Network { get; init; }

    /// <summary>The network's name, which qualifies its endpoints' names: "web.blue".</summary>
    public required string Name { get; init; }

    /// <summary>
    /// The network's subnets: the reverse name of an address inside that no endpoint has does not exist, instead of
    /// being asked of the host's servers.
    /// </summary>
    public ImmutableArray<IPNetwork> Subnets { get; init; } = [];

    public ImmutableArray<ZoneEndpoint> Endpoints { get; init; } = [];

    /// <summary>
    /// The services, for their SRV records; the addresses of their names are with <see cref="Endpoints"/>. No two have a name in
    /// common; should they, the first one's records count.
    /// </summary>
    public ImmutableArray<ZoneService> Services { get; init; } = [];
}

/// <summary>One endpoint's names.</summary>
/// <param name="Names">Its own first, then those that it may share: aliases, its service's. Compared without case.</param>
public sealed record ZoneEndpoint(ImmutableArray<string> Names, IPAddress? Ipv4, IPAddress? Ipv6);
