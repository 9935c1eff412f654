using System.Net;
using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// Every setting of <c>overlayd run</c>, with its default; the flags, the environment variables, the keys of the file
/// and the help text are all read from here.
/// </summary>
internal static class SettingCatalog
{
    public const string DefaultConfigurationFile = "/etc/overlayd/overlayd.json";
    public const string DefaultSocket = "/run/overlayd/overlayd.sock";

    public static readonly Setting<string> ConfigurationFile = new(
        "config", "FILE", "The settings file (JSON); its absence is an error only if it is named here",
        SettingText.AbsolutePath)
    { DefaultTexts = [DefaultConfigurationFile] };

    public static readonly Setting<string> StateFolder = new(
        "state-dir", "DIR", "Where certificates, keys and the managers' log are kept", SettingText.AbsolutePath)
    { DefaultTexts = ["/var/lib/overlayd"] };

    public static readonly Setting<string> RuntimeFolder = new(
        "runtime-dir", "DIR", "Where sockets and files live that need not survive a boot", SettingText.AbsolutePath)
    { DefaultTexts = ["/run/overlayd"] };

    /// <summary>Empty stands for overlayd.sock in the runtime directory, which is resolved by the reader.</summary>
    public static readonly Setting<string> Socket = new(
        "socket", "PATH", "The Unix socket on which the CLI is served (default: overlayd.sock in --runtime-dir)",
        SettingText.AbsolutePath)
    { DefaultTexts = [] };

    public static readonly Setting<string> SocketGroup = new(
        "socket-group", "GROUP", "The group that may use the socket without being root", SettingText.Group)
    { DefaultTexts = ["overlayd"] };

    /// <summary>Empty stands for the name of the host.</summary>
    public static readonly Setting<string> HostName = new(
        "hostname", "NAME", "The name this node shows to others (default: the host's)", SettingText.HostName)
    { DefaultTexts = [] };

    public static readonly Setting<string> AdvertiseAddress = new(
        "advertise-addr", "ADDR|INTERFACE", "Where other nodes reach this one, unless init or join say otherwise; once changed, the node moves there",
        SettingText.Address)
    { DefaultTexts = [""] };

    public static readonly Setting<string> ListenAddress = new(
        "listen-addr", "ADDR|INTERFACE[:PORT]", "Where the manager API listens, unless init or join say otherwise",
        SettingText.Address)
    { DefaultTexts = [""] };

    public static readonly Setting<string> DataPathAddress = new(
        "data-path-addr", "ADDR|INTERFACE", "The source of VXLAN packets, unless init or join say otherwise",
        SettingText.Address)
    { DefaultTexts = [""] };

    public static readonly Setting<int> GossipPort = new(
        "gossip-port", "PORT", "UDP and TCP port of the nodes' gossip", SettingText.Port)
    { DefaultTexts = ["7946"] };

    public static readonly Setting<int> ManagerPort = new(
        "manager-port", "PORT", "TCP port of the managers' API", SettingText.Port)
    { DefaultTexts = ["2377"] };

    public static readonly Setting<int> VxlanPort = new(
        "vxlan-port", "PORT", "UDP port of VXLAN, for clusters made here without --data-path-port", SettingText.Port)
    { DefaultTexts = ["4789"] };

    public static readonly Setting<ListenAddress> MetricsAddress = new(
        "metrics-addr", "ADDR:PORT|none", "Where /metrics, /livez and /readyz are served", SettingText.ListenAddress)
    { DefaultTexts = ["127.0.0.1:9650"] };

    public static readonly ListSetting<IPNetwork> GatewayPools = new(
        "gateway-pool", "PREFIX", "Prefixes for the bridge that leads out of the overlays; the first free one is taken",
        SettingText.Pool)
    {
        DefaultTexts = ["172.26.0.0/15", "172.28.0.0/14", "192.168.128.0/17", "10.192.0.0/12"],
    };

    public static readonly ListSetting<IPEndPoint> DnsServers = new(
        "dns", "ADDR[:PORT]", "Servers for names outside the cluster (default: those of the host's resolv.conf)",
        SettingText.NameServer)
    { DefaultTexts = [] };

    public static readonly Setting<TimeSpan> DnsTtl = new(
        "dns-ttl", "DURATION", "How long clients may keep an address that a name of the cluster has; whole seconds",
        SettingText.TimeToLive)
    { DefaultTexts = ["5s"] };

    public static readonly Setting<TimeSpan> DnsNegativeTtl = new(
        "dns-negative-ttl", "DURATION", "How long clients may keep that there is no such name in the cluster; whole seconds",
        SettingText.TimeToLive)
    { DefaultTexts = ["1s"] };

    public static readonly Setting<LoadBalancerChoice> LoadBalancer = new(
        "load-balancer", "BALANCER", "What balances flows to virtual addresses: ipvs, nftables, or auto: IPVS where the kernel has it",
        SettingText.LoadBalancer)
    { DefaultTexts = ["auto"] };

    public static readonly Setting<TimeSpan> ReconcileInterval = new(
        "reconcile-interval", "DURATION", "How often the kernel is compared in full with what it should hold",
        SettingText.Interval)
    { DefaultTexts = ["30s"] };

    public static readonly Setting<TimeSpan> AgentDownHold = new(
        "agent-down-hold", "DURATION",
        "How long a dead agent's names and traffic stay while its host answers; 0s: a dead agent is a dead host",
        SettingText.Hold)
    { DefaultTexts = ["5m"] };

    /// <summary>With a random nonce, one AES-GCM key is good for 2^32 packets (NIST SP 800-38D, 8.3).</summary>
    public static readonly Setting<TimeSpan> GossipKeyRotation = new(
        "gossip-key-rotation", "DURATION",
        "How long a key seals gossip until this manager replaces it; 0s: until somebody asks", SettingText.KeyLife)
    { DefaultTexts = ["1d"] };

    public static readonly Setting<LogLevel> LogLevel = new(
        "log-level", "LEVEL", "trace, debug, info, warning or error", SettingText.Level)
    { DefaultTexts = ["info"] };

    public static readonly Setting<LogFormat> LogFormat = new(
        "log-format", "FORMAT", "auto, text, json or journald", SettingText.Format)
    { DefaultTexts = ["auto"] };

    /// <summary>In the order of help texts. The configuration file cannot name itself.</summary>
    public static readonly IReadOnlyList<Setting> All =
    [
        ConfigurationFile, StateFolder, RuntimeFolder, Socket, SocketGroup, HostName,
        AdvertiseAddress, ListenAddress, DataPathAddress, GossipPort, ManagerPort, VxlanPort, MetricsAddress,
        GatewayPools, DnsServers, DnsTtl, DnsNegativeTtl, LoadBalancer, ReconcileInterval, AgentDownHold, GossipKeyRotation, LogLevel, LogFormat,
        GossipConstants.Profile, .. GossipConstants.All.Select(static constant => constant.Setting),
    ];
}
