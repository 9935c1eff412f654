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

    /// <summary>Who writes the log, and wakes the loop afterwards; null: a thread of its own.</summary>
    public Func<Action, ILogThread>? Disk { get; init; }

    /// <summary>Does what takes long beside the loop.</summary>
    public Func<Func<Task>, Task> Beside { get; init; } = Task.Run;

    /// <summary>False: whoever made the loop calls <see cref="ConsensusLoop.Begin"/> and then <see cref="ConsensusLoop.Turn"/>.</summary>
    public bool HasThread { get; init; } = true;
}
