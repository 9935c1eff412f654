namespace Overlay.Tests.Daemon.Cli;

/// <summary>A clock that stands at 2026-11-21 12:00 UTC.</summary>
internal sealed class StillTime : TimeProvider
{
    public static readonly DateTimeOffset Noon = new(2026, 11, 21, 12, 0, 0, TimeSpan.Zero);

    public static long Ago(TimeSpan span) => (Noon - span).ToUnixTimeMilliseconds();

    public override DateTimeOffset GetUtcNow() => Noon;
}
