using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>Turns a <see cref="TimeProvider"/> into the instants that pure rooms are told.</summary>
internal sealed class MonotonicClock(TimeProvider time)
{
    private readonly long origin = time.GetTimestamp();

    public TimeProvider Time => time;

    public Instant Now => new(time.GetElapsedTime(origin).Ticks * 100);

    public long UnixMs => time.GetUtcNow().ToUnixTimeMilliseconds();
}
