using System.Collections.Immutable;

namespace Overlay.Dns;

/// <summary>A service as SRV records tell of it (RFC 2782): one record for each backend and port.</summary>
/// <param name="Names">
/// Those that have the records of all ports, its own first. That is one label; below "_tcp", "_udp" and "_sctp" it has,
/// with '_' before it, the records of one protocol's ports: "_web._tcp". Compared without case. All of them exist,
/// also without a record.
/// </param>
/// <param name="Ports">Where its backends listen, in any order; what is there twice counts once.</param>
/// <param name="Backends">Those that its names lead to now.</param>
public sealed record ZoneService(
    ImmutableArray<string> Names, ImmutableArray<ServicePort> Ports, ImmutableArray<ZoneBackend> Backends);

/// <summary>An endpoint that does a service's work.</summary>
/// <param name="Endpoint">
/// The target of its records is the first of its names, qualified by the network's name: where DNS can not carry that, it
/// has no records. Its addresses go along (RFC 2782, "Additional Data").
/// </param>
/// <param name="Weight">From 1: its share of the clients, relative to the other backends' weights.</param>
public sealed record ZoneBackend(ZoneEndpoint Endpoint, ushort Weight);

/// <summary>A port that the backends of a service listen on.</summary>
public readonly record struct ServicePort(TransportProtocol Protocol, ushort Number);

/// <summary>Protocols that have ports, and labels of their own in the names of services (RFC 2782, RFC 6335 §5.2).</summary>
public enum TransportProtocol
{
    Tcp,
    Udp,
    Sctp,
}
