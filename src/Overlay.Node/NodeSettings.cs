using System.Net;
using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>What a node is told of itself once, when it enters a cluster or starts again.</summary>
public sealed record NodeSettings
{
    public required NodeId Id { get; init; }

    /// <summary>Where other nodes reach its gossip.</summary>
    public required IPEndPoint GossipAddress { get; init; }

    /// <summary>Shown to foreign members of the gossip; empty: not shown.</summary>
    public string HostName { get; init; } = "";

    /// <summary>
    /// Where the manager here is reached, of a cluster that was begun anew: agents that know only managers of before look for one by
    /// gossip. Empty: not shown.
    /// </summary>
    public string ManagerAddress { get; init; } = "";

    /// <summary>Source of its VXLAN packets.</summary>
    public required IPAddress Vtep { get; init; }

    /// <summary>MTU of the route its VXLAN packets leave by.</summary>
    public required int UnderlayMtu { get; init; }

    /// <summary>Differs at every start, and grows: a restart is newer news than anything said before it.</summary>
    public required ulong BootId { get; init; }

    /// <summary>Addresses of the bridge that leads sandboxes out.</summary>
    public required IPNetwork GatewayPrefix { get; init; }

    /// <summary>What its sandboxes balance their flows to virtual addresses by.</summary>
    public LoadBalancer LoadBalancer { get; init; }

    public SwimOptions Swim { get; init; } = SwimOptions.Lan;

    /// <summary>How long an attach waits for a manager to lease a block or reserve an address.</summary>
    public TimeSpan LeaseTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>An endpoint whose namespace is gone this long is detached.</summary>
    public TimeSpan LostSandboxTimeout { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>Unix milliseconds at <see cref="Instant"/> 0: when an address comes back without a user's asking.</summary>
    public long WallClockOriginUnixMs { get; init; }
}
