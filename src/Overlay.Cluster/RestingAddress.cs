using System.Net;
using Overlay.Primitives;

namespace Overlay.Cluster;

/// <summary>An address that its endpoint gave back, and when; no other gets it before quarantine has passed.</summary>
public sealed record RestingAddress(NetworkId Network, IPAddress Address, long ReleasedUnixMs);
