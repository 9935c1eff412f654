using System.Collections.Immutable;

namespace Overlay.Daemon.Agent;

/// <summary>What the reconciler has done since start; an immutable snapshot for status and metrics.</summary>
internal sealed record ReconcilerStatus
{
    public static readonly ReconcilerStatus Initial = new();

    /// <summary>Drift repaired, by kind of operation.</summary>
    public ImmutableSortedDictionary<string, long> Repairs { get; init; } =
        ImmutableSortedDictionary.Create<string, long>(StringComparer.Ordinal);

    public long Failures { get; init; }

    /// <summary>Operations of the last round that failed and are tried again.</summary>
    public int Pending { get; init; }

    public string LastError { get; init; } = "";

    public long LastRoundUnixMs { get; init; }

    public long Rounds { get; init; }

    public long Operations { get; init; }

    /// <summary>Published ports that this host does not serve, and should.</summary>
    public ImmutableArray<RefusedPort> RefusedPorts { get; init; } = [];
}
