using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What a <see cref="ConsensusLoop"/> is made of.</summary>
internal sealed record ConsensusSetup
{
    public const int SnapshotEveryEntries = 4096;

    public required PeerSelf Self { get; init; }

    /// <summary>Owned by the loop from then on.</summary>
    public required LogStore Log { get; init; }

    public required RaftRecovered Found { get; init; }

    public required MonotonicClock Clock { get; init; }

    public required Prng Prng { get; init; }

    public required Instruments Instruments { get; init; }

    public required ILogger Logger { get; init; }

    public required RaftOptions Options { get; init; }

    /// <summary>Entries from one snapshot to the next.</summary>
    public int SnapshotEvery { get; init; } = SnapshotEveryEntries;
}
