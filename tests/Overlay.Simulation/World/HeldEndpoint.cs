using Overlay.Primitives;

namespace Overlay.Simulation.World;

/// <summary>An endpoint as the outside sees it: what it holds.</summary>
internal sealed record HeldEndpoint(
    EndpointId Id, string Network, string Name, string Mac, string? Ipv4, bool Reserved4, string? Ipv6, bool Reserved6);
