namespace Overlay.Cluster;

/// <summary>Bounds on what managers accept, so that no request and no cluster grows without end.</summary>
public static class Limits
{
    public const int Nodes = 10_000;

    /// <summary>More make every change slower and lose no fewer than four at once.</summary>
    public const int Managers = 9;

    /// <summary>A manager that is restarted is back by then.</summary>
    public static readonly TimeSpan ShortestReplacement = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan LongestReplacement = TimeSpan.FromDays(30);
    public const int Networks = 10_000;
    public const int Services = 10_000;
    public const int PortsOfService = 64;
    public const int SubnetsPerFamily = 8;
    public const int Labels = 64;
    public const int LabelKeyCharacters = 128;
    public const int LabelValueCharacters = 1024;
    public const int RoutesPerNode = 4096;
    public const int HostnameCharacters = 253;
    public const int DeviceCharacters = 64;
    public const int VersionCharacters = 64;
    public const int RequestIdCharacters = 128;
    public const int DefaultPools = 16;
    public const int GossipKeys = 3;

    /// <summary>AES-256.</summary>
    public const int GossipKeyBytes = 32;

    /// <summary>Request ids the store remembers.</summary>
    public const int RecentRequests = 1024;

    /// <summary>Actions the store keeps for watchers that come back.</summary>
    public const int HistoryActions = 16_384;

    /// <summary>Names of holders that one refusal lists.</summary>
    public const int NamesInRefusal = 8;
}
