using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Simulation.Whole;

/// <summary>How far a run's disks decay.</summary>
internal enum Decay
{
    None,

    /// <summary>On fewer disks than a majority: everything must come back.</summary>
    Survivable,

    /// <summary>On any disk: what cannot come back must be refused, never forgotten.</summary>
    Anywhere,
}

/// <summary>What one run of whole managers is like, all of it drawn from the seed. Durations in nanoseconds.</summary>
internal sealed record WholeSwarm
{
    public const long Millisecond = 1_000_000;
    public const long Second = 1_000 * Millisecond;

    public required int Voters { get; init; }

    /// <summary>Managers that begin outside of the cluster.</summary>
    public required int Spares { get; init; }

    public required RaftOptions Options { get; init; }

    public required LogLimits Limits { get; init; }

    /// <summary>The log is encrypted, and gets a new key at some starts.</summary>
    public required bool Encrypted { get; init; }

    public required int SnapshotEvery { get; init; }

    public required double Loss { get; init; }

    public required double Duplication { get; init; }

    public required double LongDelays { get; init; }

    public required long MaxDelay { get; init; }

    public required bool Partitions { get; init; }

    public required bool OneWay { get; init; }

    public required bool Kills { get; init; }

    public required bool PowerFailures { get; init; }

    public required bool Stops { get; init; }

    /// <summary>The process or the power ends in the middle of what a start writes.</summary>
    public required bool CrashesAtStart { get; init; }

    public required bool Pauses { get; init; }

    public required bool SlowDisks { get; init; }

    public required bool DiskErrors { get; init; }

    public required bool FullDisks { get; init; }

    public required Decay Decay { get; init; }

    public required bool Drift { get; init; }

    public required bool WallJumps { get; init; }

    public required bool Membership { get; init; }

    public required bool Hints { get; init; }

    public required int Clients { get; init; }

    public required int Addresses { get; init; }

    public required long Think { get; init; }

    public required long DiskMax { get; init; }

    public required long FaultTime { get; init; }

    public required long MaxTroublePause { get; init; }

    public int Slots => Voters + Spares;

    /// <summary>Slots whose disks may decay at once without loss.</summary>
    public int Decaying => Decay switch { Decay.None => 0, Decay.Survivable => (Voters - 1) / 2, _ => Slots };

    private static ReadOnlySpan<int> Sizes => [1, 2, 3, 3, 3, 3, 3, 5];

    public static WholeSwarm Draw(Prng prng)
    {
        int voters = Sizes[prng.Next(Sizes.Length)];
        Decay decay = prng.Next(10) switch { < 5 => Decay.None, < 9 => Decay.Survivable, _ => Decay.Anywhere };
        bool membership = prng.Chance(0.4);
        return new()
        {
            Voters = voters,
            Spares = membership ? 1 : 0,
            Options = DrawOptions(prng),
            Limits = DrawLimits(prng),
            Encrypted = prng.Chance(0.25),
            SnapshotEvery = prng.Chance(0.6) ? 4 + prng.Next(40) : 4096,
            Loss = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.2,
            Duplication = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.2,
            LongDelays = prng.Chance(0.5) ? 0 : prng.NextDouble() * 0.03,
            MaxDelay = (1 + (long)prng.Next(prng.Chance(0.2) ? 200 : 30)) * Millisecond,
            Partitions = prng.Chance(0.5),
            OneWay = prng.Chance(0.4),
            Kills = prng.Chance(0.5),
            PowerFailures = prng.Chance(0.6),
            Stops = prng.Chance(0.3),
            CrashesAtStart = prng.Chance(0.4),
            Pauses = prng.Chance(0.4),
            SlowDisks = prng.Chance(0.5),
            DiskErrors = prng.Chance(0.3),
            FullDisks = prng.Chance(0.2),
            Decay = decay,
            Drift = prng.Chance(0.5),
            WallJumps = prng.Chance(0.4),
            Membership = membership,
            Hints = prng.Chance(0.5),
            Clients = 1 + prng.Next(4),
            Addresses = 1 + prng.Next(3),
            Think = (10 + prng.Next(prng.Chance(0.5) ? 60 : 400)) * Millisecond,
            DiskMax = prng.Chance(0.5) ? Millisecond : (1 + (long)prng.Next(40)) * Millisecond,
            FaultTime = (10 + (long)prng.Next(15)) * Second,
            MaxTroublePause = (200 + (long)prng.Next(1800)) * Millisecond,
        };
    }

    private static LogLimits DrawLimits(Prng prng) => prng.Chance(0.3)
        ? new() { SegmentEntries = 1 + prng.Next(6), BatchBytes = 400 }
        : new() { SegmentBytes = SegmentFormat.EntriesOffset + 1000 + prng.Next(30_000), BatchBytes = prng.Chance(0.5) ? 600 : 4 << 20 };

    private static RaftOptions DrawOptions(Prng prng)
    {
        bool tiny = prng.Chance(0.3);
        return new()
        {
            ElectionTimeout = TimeSpan.FromSeconds(1),
            HeartbeatInterval = TimeSpan.FromMilliseconds(100),
            MaxMessageBytes = tiny ? 1 + prng.Next(2000) : 1 << 20,
            MaxInflightMessages = tiny ? 1 + prng.Next(4) : 64,
            MaxInflightBytes = tiny ? 1 + prng.Next(4000) : 16 << 20,
            MaxApplyEntries = tiny ? 1 + prng.Next(4) : 4096,
            MaxOutstandingWrites = 1 + prng.Next(4),
            CaughtUpEntries = prng.Next(64),
        };
    }
}
