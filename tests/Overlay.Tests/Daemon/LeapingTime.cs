namespace Overlay.Tests.Daemon;

/// <summary>The machine's clock, and what was added to it; its timers wait as long as the machine's do.</summary>
internal sealed class LeapingTime : TimeProvider
{
    private long added;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => System.GetElapsedTime(0).Ticks + Interlocked.Read(ref added);

    public void Leap(TimeSpan time) => Interlocked.Add(ref added, time.Ticks);
}
