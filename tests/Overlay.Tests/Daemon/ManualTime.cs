namespace Overlay.Tests.Daemon;

/// <summary>A clock that moves only when told; its timers fire on the caller's thread.</summary>
internal sealed class ManualTime(DateTimeOffset start) : TimeProvider, IDisposable
{
    private readonly Lock gate = new();
    private readonly List<ManualTimer> waiting = [];
    private readonly SemaphoreSlim armed = new(0);
    private DateTimeOffset now = start;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (gate)
        {
            return now;
        }
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        ManualTimer timer = new(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    public void Set(DateTimeOffset instant)
    {
        lock (gate)
        {
            now = instant;
        }
    }

    /// <summary>Waits until somebody waits for a timer, then moves to its instant and fires it.</summary>
    public async Task PassToNextTimerAsync(CancellationToken cancellationToken)
    {
        ManualTimer? first;
        do
        {
            await armed.WaitAsync(cancellationToken);
            lock (gate)
            {
                first = waiting.MinBy(static t => t.Due);
                if (first is not null)
                {
                    waiting.Remove(first);
                    now = first.Due > now ? first.Due : now;
                }
            }
        }
        while (first is null);
        first.Fire();
    }

    public void Dispose() => armed.Dispose();

    private sealed class ManualTimer(ManualTime owner, Action fire) : ITimer
    {
        public DateTimeOffset Due { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (owner.gate)
            {
                owner.waiting.Remove(this);
                if (dueTime != Timeout.InfiniteTimeSpan)
                {
                    Due = owner.now + dueTime;
                    owner.waiting.Add(this);
                    owner.armed.Release();
                }
            }

            return true;
        }

        public void Dispose()
        {
            lock (owner.gate)
            {
                owner.waiting.Remove(this);
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
