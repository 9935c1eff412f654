using Overlay.Primitives;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Raft;

/// <summary>
/// What one run is like, all of it drawn from the seed: about half of the kinds of fault are off in each, so that none
/// hides another ("swarm testing", Groce and others, 2012). Durations in nanoseconds.
/// </summary>
internal sealed record RaftSwarm
{
    public const long Millisecond = 1_000_000;
    public const long Second = 1_000 * Millisecond;

    public required int Voters { get; init; }

    /// <summary>Places for nodes that begin outside of the cluster.</summary>
    public required int Spares { get; init; }

    public required RaftOptions Options { get; init; }

    public required double Loss { get; init; }

    public required double Duplication { get; init; }

    public required double LongDelays { get; init; }

    public required long MinDelay { get; init; }

    public required long MaxDelay { get; init; }

    public const long LongestDelay = 8 * Second;

    /// <summary>The wire's bytes are made and read for every message.</summary>
    public required bool Wire { get; init; }

    public required bool Partitions { get; init; }

    public required bool OneWay { get; init; }

    public required bool Crashes { get; init; }

    /// <summary>A crash leaves a part of what was being written, rather than nothing.</summary>
    public required bool Torn { get; init; }

    public required bool Pauses { get; init; }

    public required bool SlowDisks { get; init; }

    /// <summary>The state machine takes up to 0.4 s for some batches.</summary>
    public required bool SlowApply { get; init; }

    public required bool Drift { get; init; }

    public required bool LateTimers { get; init; }

    public required bool Membership { get; init; }

    public required bool Transfers { get; init; }

    public required bool Hints { get; init; }

    public required bool Snapshots { get; init; }

    /// <summary>Entries applied between two snapshots of a node.</summary>
    public required int SnapshotEvery { get; init; }

    /// <summary>Entries kept behind a snapshot.</summary>
    public required int SnapshotKeep { get; init; }

    public required int Clients { get; init; }

    public required int Keys { get; init; }

    public required int MaxPadding { get; init; }

    public required long Think { get; init; }

    public required long DiskMin { get; init; }

    public required long DiskMax { get; init; }

    public required long FaultTime { get; init; }

    public required long MaxTroublePause { get; init; }

    public int Slots => Voters + Spares;

    public static RaftSwarm Draw(Prng prng)
    {
        bool fastDisk = prng.Chance(0.5);
        bool membership = prng.Chance(0.5);
        int voters = Sizes[prng.Next(Sizes.Length)];
        long maxDelay = (1 + (long)prng.Next(prng.Chance(0.2) ? 300 : 40)) * Millisecond;
        return new()
        {
            Voters = voters,
            Spares = membership ? 1 + prng.Next(2) : 0,
            Options = DrawOptions(prng),
            Loss = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.25,
            Duplication = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.2,
            LongDelays = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.03,
            MinDelay = 1 + (long)(maxDelay * 0.2 * prng.NextDouble()),
            MaxDelay = maxDelay,
            Wire = prng.Chance(0.1),
            Partitions = prng.Chance(0.5),
            OneWay = prng.Chance(0.5),
            Crashes = prng.Chance(0.6),
            Torn = prng.Chance(0.5),
            Pauses = prng.Chance(0.5),
            SlowDisks = prng.Chance(0.5),
            SlowApply = prng.Chance(0.5),
            Drift = prng.Chance(0.5),
            LateTimers = prng.Chance(0.5),
            Membership = membership,
            Transfers = prng.Chance(0.5),
            Hints = prng.Chance(0.5),
            Snapshots = prng.Chance(0.6),
            SnapshotEvery = 3 + prng.Next(48),
            SnapshotKeep = prng.Chance(0.4) ? 0 : prng.Next(20),
            Clients = 1 + prng.Next(4),
            Keys = 1 + prng.Next(3),
            MaxPadding = prng.Chance(0.5) ? 0 : prng.Next(200),
            Think = (100 + prng.Next(900)) * Millisecond,
            DiskMin = fastDisk ? Millisecond / 10 : Millisecond,
            DiskMax = fastDisk ? Millisecond : (1 + (long)prng.Next(60)) * Millisecond,
            FaultTime = (20 + (long)prng.Next(25)) * Second,
            MaxTroublePause = (300 + (long)prng.Next(4000)) * Millisecond,
        };
    }

    private static ReadOnlySpan<int> Sizes => [1, 2, 3, 3, 3, 3, 3, 3, 5, 5, 5, 7];

    private static RaftOptions DrawOptions(Prng prng)
    {
        bool tiny = prng.Chance(0.5);
        return new()
        {
            ElectionTimeout = TimeSpan.FromSeconds(1),
            HeartbeatInterval = TimeSpan.FromMilliseconds(100 + (100 * prng.Next(4))),
            MaxMessageBytes = tiny ? 1 + prng.Next(200) : 1 << 20,
            MaxInflightMessages = tiny ? 1 + prng.Next(8) : 64,
            MaxInflightBytes = tiny ? 1 + prng.Next(1000) : 16 << 20,
            MaxUncommittedBytes = tiny && prng.Chance(0.5) ? 1 + prng.Next(400) : 64 << 20,
            MaxApplyBytes = tiny ? 1 + prng.Next(200) : 4 << 20,
            MaxApplyEntries = tiny ? 1 + prng.Next(4) : 4096,
            MaxOutstandingWrites = 1 + prng.Next(4),
            MaxPendingReads = tiny ? 1 + prng.Next(4) : 16384,
            CaughtUpEntries = prng.Next(64),
            PreVote = prng.Chance(0.75),
            CheckQuorum = prng.Chance(0.75),
            StepDownOnRemoval = prng.Chance(0.75),
        };
    }
}
