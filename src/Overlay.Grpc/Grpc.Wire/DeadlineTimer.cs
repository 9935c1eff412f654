namespace Grpc.Wire;

/// <summary>Says once that a time has passed, however far off it is: timers reach 49 days, deadlines years.</summary>
internal sealed class DeadlineTimer : IDisposable
{
    private static readonly TimeSpan s_longestWait = TimeSpan.FromDays(1);

    private readonly TimeProvider _time;
    private readonly TimeSpan _timeout;
    private readonly Action _expired;
    private readonly long _started;
    private readonly ITimer _timer;

    public DeadlineTimer(TimeProvider time, TimeSpan timeout, Action expired)
    {
        _time = time;
        _timeout = timeout;
        _expired = expired;
        _started = time.GetTimestamp();
        _timer = time.CreateTimer(
            static self => ((DeadlineTimer)self!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Arm(timeout);
    }

    public void Dispose() => _timer.Dispose();

    private void Ring()
    {
        TimeSpan rest = _timeout - _time.GetElapsedTime(_started);
        if (rest <= TimeSpan.Zero)
        {
            _expired();
        }
        else
        {
            Arm(rest);
        }
    }

    private void Arm(TimeSpan rest)
    {
        // Timers count whole milliseconds; rounding up spares a second ring.
        TimeSpan wait = TimeSpan.FromMilliseconds(Math.Ceiling(rest.TotalMilliseconds));
        _timer.Change(wait < s_longestWait ? wait : s_longestWait, Timeout.InfiniteTimeSpan);
    }
}
