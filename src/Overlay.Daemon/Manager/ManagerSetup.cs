using Microsoft.Extensions.Logging;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Telemetry;
using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager;

/// <summary>What a <see cref="ManagerLoop"/> needs beside its log.</summary>
internal sealed record ManagerSetup
{
    public required PeerSelf Self { get; init; }

    /// <summary>The cluster began on this disk: a log that names no members has this one.</summary>
    public required bool IsFounder { get; init; }

    /// <summary>The proposer's wall clock, and time-outs.</summary>
    public required MonotonicClock Clock { get; init; }

    public required Prng Prng { get; init; }

    public required Instruments Instruments { get; init; }

    public required ILogger<ManagerLoop> Logger { get; init; }

    /// <summary>The managers that took this one in, until its own log names them.</summary>
    public IReadOnlyList<PeerAddress> Seeds { get; init; } = [];

    /// <summary>The disk completes one write while the next one is gathered.</summary>
    public RaftOptions Options { get; init; } = new() { MaxOutstandingWrites = 2 };

    /// <summary>How long a caller waits for a leader while too few managers are reachable: links come back in less.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Entries from one snapshot to the next.</summary>
    public int SnapshotEvery { get; init; } = ConsensusSetup.SnapshotEveryEntries;

    /// <summary>Another disk or another way of running for the engine.</summary>
    public Func<ConsensusSetup, ConsensusSetup> Engine { get; init; } = static setup => setup;
}
