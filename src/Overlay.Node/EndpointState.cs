using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

public enum EndpointStatus
{
    /// <summary>Decided and announced; the kernel has not confirmed it yet.</summary>
    Pending,

    Ready,

    /// <summary>The kernel refused, or the namespace is gone; see <see cref="EndpointState.Error"/>.</summary>
    Failed,
}

/// <summary>One endpoint of this node. Immutable; the node replaces it when something about it changes.</summary>
public sealed record EndpointState
{
    public const int MaxWeight = 65535;
    public const int MaxHealthCommand = 4096;

    public required EndpointId Id { get; init; }

    public required NetworkId Network { get; init; }

    public required int Segment { get; init; }

    public required NamespaceName Sandbox { get; init; }

    public required string Interface { get; init; }

    public required MacAddress Mac { get; init; }

    public IPAddress? Ipv4 { get; init; }

    public IPAddress? Ipv6 { get; init; }

    public required string Name { get; init; }

    public ImmutableArray<string> Aliases { get; init; } = [];

    /// <summary>Whose backend it is; null: of none. It stays when the service is removed, and means nothing then.</summary>
    public ServiceId? Service { get; init; }

    /// <summary>Among the service's backends; 0: none was given, which is 1.</summary>
    public int Weight { get; init; }

    /// <summary>What its checks found; unspecified: it has none, or no service.</summary>
    public EndpointHealth Health { get; init; }

    /// <summary>Why the last look failed; empty: it did not.</summary>
    public string HealthReason { get; init; } = "";

    /// <summary>What looks at it beside its service's check, by this host's root; empty: nothing.</summary>
    public string HealthCommand { get; init; } = "";

    /// <summary>See <see cref="LocalEndpoint.GatewaySlot"/>.</summary>
    public int GatewaySlot { get; init; }

    public long CreatedUnixMs { get; init; }

    /// <summary>The span that made it, while this agent runs; other nodes continue its trace.</summary>
    public TraceContext Trace { get; init; }

    /// <summary>The address is a manager's reservation rather than one of this node's blocks.</summary>
    public bool Reserved4 { get; init; }

    public bool Reserved6 { get; init; }

    public EndpointStatus Status { get; init; }

    public string Error { get; init; } = "";

    /// <summary>Since when its namespace is missing; null while it is there.</summary>
    public Instant? LostSince { get; init; }
}
