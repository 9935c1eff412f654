using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>
/// A service of IPVS in one namespace: what has its mark goes to one of its destinations, whose address takes the place of the
/// virtual one (masquerading); every port is its own.
/// </summary>
/// <param name="Mark">The key. Ours begin with <see cref="IpvsServices.Marks"/>; those of others are never looked at.</param>
/// <param name="Scheduler">As IPVS calls it: "rr", "wlc", "mh".</param>
/// <param name="Sticky">Seconds that a client comes back to its destination; 0: none.</param>
public sealed record IpvsService(uint Mark, bool IsIpv6, string Scheduler, int Sticky)
{
    public ImmutableSortedSet<IpvsDestination> Destinations { get; init; } = [];

    /// <summary>In a wish: whoever is connected to a destination that is not wanted any more keeps it; else it is deleted at once.</summary>
    public bool HasConnections { get; init; }

    /// <summary>Whether the kernel would do the same by both, however many connections there are.</summary>
    internal bool Does(IpvsService other) =>
        (Mark, IsIpv6, Scheduler, Sticky) == (other.Mark, other.IsIpv6, other.Scheduler, other.Sticky)
        && Destinations.Select(static d => (d.Address, d.Weight)).SequenceEqual(other.Destinations.Select(static d => (d.Address, d.Weight)));

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"fwmark {Mark:x}{(IsIpv6 ? " ipv6" : "")} {Scheduler}{(Sticky > 0 ? $" sticky {Sticky}" : "")}")
        + $" to {string.Join(' ', Destinations)}";
}

/// <param name="Weight">0: it gets nothing new, and keeps what it has.</param>
/// <param name="Connections">That it has, as last observed; null: not observed since it was changed.</param>
public sealed record IpvsDestination(IPAddress Address, int Weight, long? Connections = null) : IComparable<IpvsDestination>
{
    public int CompareTo(IpvsDestination? other) => other is null ? 1 : AddressOrder.CompareAddresses(Address, other.Address);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Address}*{Weight}");
}

/// <summary>How long IPVS keeps the flows of a namespace, of all services; seconds.</summary>
public sealed record IpvsTimeouts(int Tcp, int TcpFin, int Udp)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"tcp {Tcp} tcpfin {TcpFin} udp {Udp}");
}
