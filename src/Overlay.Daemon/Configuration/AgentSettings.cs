using System.Net;
using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Configuration;

/// <summary>What <c>overlayd run</c> was told, complete and valid; <see cref="SettingsReader"/> makes it.</summary>
internal sealed record AgentSettings
{
    public required string ConfigurationFile { get; init; }

    /// <summary>Absolute path: certificates, keys, the managers' log. Survives a boot.</summary>
    public required string StateFolder { get; init; }

    /// <summary>Absolute path: sockets. Need not survive a boot.</summary>
    public required string RuntimeFolder { get; init; }

    /// <summary>Path of the Unix socket of the Admin service.</summary>
    public required string SocketPath { get; init; }

    /// <summary>Name or number of the group that owns the socket.</summary>
    public required string SocketGroup { get; init; }

    public required string HostName { get; init; }

    /// <summary>
    /// Address or interface for init and join that name none; empty: chosen by <see cref="AddressSelection"/>.
    /// </summary>
    public required string AdvertiseAddress { get; init; }

    /// <summary>As <see cref="AdvertiseAddress"/>, with an optional port.</summary>
    public required string ListenAddress { get; init; }

    public required string DataPathAddress { get; init; }

    /// <summary>UDP and TCP.</summary>
    public required int GossipPort { get; init; }

    public required int ManagerPort { get; init; }

    public required int VxlanPort { get; init; }

    /// <summary>HTTP for metrics and health; null: not served.</summary>
    public required IPEndPoint? MetricsAddress { get; init; }

    /// <summary>Candidates for the bridge that leads out of the overlays, best first; never empty.</summary>
    public required IReadOnlyList<IPNetwork> GatewayPools { get; init; }

    /// <summary>Servers for names outside the cluster; empty: those of the host's resolv.conf.</summary>
    public required IReadOnlyList<IPEndPoint> DnsServers { get; init; }

    /// <summary>Of answers about names of the cluster, in whole seconds.</summary>
    public required TimeSpan DnsTtl { get; init; }

    /// <summary>Of answers that there is no such name in the cluster (RFC 2308), in whole seconds.</summary>
    public required TimeSpan DnsNegativeTtl { get; init; }

    public required LoadBalancerChoice LoadBalancer { get; init; }

    /// <summary>Between two full comparisons of the kernel with what it should hold.</summary>
    public required TimeSpan ReconcileInterval { get; init; }

    /// <summary>See <see cref="Overlay.Gossip.SwimOptions.AgentDownHold"/>.</summary>
    public required TimeSpan AgentDownHold { get; init; }

    /// <summary>The longest that one key seals gossip; zero: for ever.</summary>
    public required TimeSpan GossipKeyRotation { get; init; }

    /// <summary>The profile, with the constants that were given.</summary>
    public required Overlay.Gossip.SwimOptions Gossip { get; init; }

    public required LogLevel LogLevel { get; init; }

    public required LogFormat LogFormat { get; init; }

    /// <summary>Where each value came from, in the order of the catalog.</summary>
    public required IReadOnlyList<SettingValue> Values { get; init; }
}
