using System.Collections.Immutable;
using Google.Protobuf;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// All that a new cluster begins with. Numbers that are 0, and an empty list of pools, mean the default.
/// </summary>
public sealed record BootstrapSpec
{
    public const string StandardPool = "10.0.0.0/8";
    public const uint StandardPoolPrefix = 24;
    public const uint StandardVxlanPort = 4789;
    public const long StandardCertificateLifeSeconds = 90 * 24 * 3600;
    public const long StandardQuarantineSeconds = 60;

    public required string ClusterId { get; init; }

    /// <summary>X.509 DER of the root.</summary>
    public required ByteString CaCertificate { get; init; }

    /// <summary>PKCS#8 of the root's key.</summary>
    public required ByteString CaKey { get; init; }

    /// <summary>16 bytes.</summary>
    public required ByteString WorkerSecret { get; init; }

    /// <summary>16 bytes.</summary>
    public required ByteString ManagerSecret { get; init; }

    /// <summary>32 bytes.</summary>
    public required ByteString GossipKey { get; init; }

    /// <summary>32 bytes that the managers' disks are locked with; empty: they are not.</summary>
    public ByteString UnlockKey { get; init; } = ByteString.Empty;

    /// <summary>The node that bootstraps; it becomes a manager.</summary>
    public required NodeObject FirstManager { get; init; }

    /// <summary>Prefixes that subnets are cut from, IPv4 or IPv6.</summary>
    public ImmutableArray<string> DefaultPools { get; init; } = [];

    /// <summary>Length of a subnet cut from an IPv4 pool.</summary>
    public uint DefaultPoolPrefix { get; init; }

    public uint VxlanPort { get; init; }

    public long CertificateLifeSeconds { get; init; }

    public long QuarantineSeconds { get; init; }
}
