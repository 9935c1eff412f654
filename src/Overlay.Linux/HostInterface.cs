using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;

namespace Overlay.Linux;

/// <summary>An address of the host.</summary>
/// <param name="IsGlobal">Of global scope: not link-local, not of the loopback.</param>
public sealed record HostAddress(IPAddress Address, int PrefixLength, bool IsGlobal);

/// <summary>An interface of the host with its addresses in the kernel's order.</summary>
public sealed record HostInterface(
    string Name, int Index, LinkKind Kind, int Mtu, bool Up, ImmutableArray<HostAddress> Addresses);

/// <summary>A unicast route of the host's main table.</summary>
/// <param name="Device">Empty where the route has several next hops.</param>
/// <param name="Protocol">Who made it: 2 kernel, 3 boot, 4 static, 16 DHCP, 79 overlayd…</param>
public sealed record HostRoute(IPNetwork Destination, IPAddress? Gateway, string Device, int Metric, byte Protocol);
