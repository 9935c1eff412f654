namespace Overlay.Simulation.Whole;

/// <summary>One manager's clocks: the monotonic one runs a little fast or slow, the wall clock may be set.</summary>
internal sealed class SimTime(WholeWorld world, double drift) : TimeProvider
{
    private const long WallOrigin = 1_800_000_000;

    /// <summary>By how much somebody has set the wall clock wrong.</summary>
    public TimeSpan WallError { get; set; }

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => (long)(world.Now * (1 + drift)) / 100;

    public override DateTimeOffset GetUtcNow() =>
        DateTimeOffset.FromUnixTimeSeconds(WallOrigin) + TimeSpan.FromTicks(world.Now / 100) + WallError;

    /// <summary>The world's time, not before the present, at which so much of this clock's time has passed.</summary>
    public long After(TimeSpan own) => own <= TimeSpan.Zero ? world.Now : world.Now + (long)(own.Ticks * 100 / (1 + drift)) + 100;
}
