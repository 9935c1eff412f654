using System.Collections.Immutable;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>A service as an operator asks for it; nothing in it is trusted.</summary>
public sealed record ServiceSpec
{
    private const int MostNameCharacters = 63;

    /// <summary>The new service's id, made by the caller.</summary>
    public required string Id { get; init; }

    /// <summary>See <see cref="IsName"/>; no other service of the cluster has it, in whatever case.</summary>
    public required string Name { get; init; }

    /// <summary>Id, name, or the beginning of an id.</summary>
    public required string Network { get; init; }

    /// <summary>VIP or DNSRR.</summary>
    public required EndpointMode Mode { get; init; }

    /// <summary>Addresses that a VIP service is to have, at most one of each family; the others are chosen for it.</summary>
    public ImmutableArray<string> VirtualAddresses { get; init; } = [];

    /// <summary>"rr", "wrr", "sh", "lc", "wlc" or "mh"; empty: "wrr".</summary>
    public string Scheduler { get; init; } = "";

    /// <summary>"preserve" or "snat", of what comes by its ports; empty: "preserve".</summary>
    public string SourceIp { get; init; } = "";

    /// <summary>"off", "prefer" or "require"; empty: "off".</summary>
    public string Locality { get; init; } = "";

    /// <summary>Key of the label of nodes that is the weight of backends there which were given none; empty: none is.</summary>
    public string WeightBy { get; init; } = "";

    /// <summary>Milliseconds, see <see cref="FlowLimits"/>; 0: each flow is chosen for anew.</summary>
    public long StickyMs { get; init; }

    /// <summary>See <see cref="FlowLimits"/>; null: all as nodes' kernels say.</summary>
    public FlowTimeouts? Timeouts { get; init; }

    /// <summary>What its backends are asked; null: nothing. What is 0 in it is the default.</summary>
    public HealthCheck? Health { get; init; }

    /// <summary>Ports of nodes that lead to its backends; one of number 0 gets a free one.</summary>
    public ImmutableArray<PublishedPort> Ports { get; init; } = [];

    /// <summary>Of the network that is made for ports of all nodes where there is none; made by the caller.</summary>
    public string IngressId { get; init; } = "";

    public ImmutableArray<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>A DNS label (RFC 1123), with '_' allowed inside as Docker's users expect.</summary>
    public static bool IsName(string text) =>
        text.Length is > 0 and <= MostNameCharacters && char.IsAsciiLetterOrDigit(text[0]) && char.IsAsciiLetterOrDigit(text[^1])
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_');
}
