using Overlay.Primitives;

namespace Overlay.Simulation;

/// <summary>Virtual time: one queue ordered by instant and sequence; nothing else decides what comes first.</summary>
internal sealed class Simulator(ulong seed, bool trace)
{
    private const long WallOrigin = 1_800_000_000_000;

    private readonly PriorityQueue<Action, (long At, long Order)> queue = new();
    private long order;

    public Prng Prng { get; } = new(seed);

    public Counters Counters { get; } = new();

    public Instant Now { get; private set; } = new(1_000_000_000);

    public long UnixMs => WallOrigin + (Now.Nanoseconds / 1_000_000);

    /// <summary>FNV-1a of everything that was said; the same for every run of a seed.</summary>
    public ulong Transcript { get; private set; } = 14695981039346656037;

    public static long UnixMsAt(Instant instant) => WallOrigin + (instant.Nanoseconds / 1_000_000);

    public void Later(TimeSpan delay, Action action) => queue.Enqueue(action, ((Now + delay).Nanoseconds, order++));

    public TimeSpan Ms(int min, int max) => TimeSpan.FromMilliseconds(min + (Prng.NextDouble() * (max - min)));

    public void Say(string text)
    {
        foreach (char c in text)
        {
            Transcript = (Transcript ^ c) * 1099511628211;
        }

        Transcript = (Transcript ^ (ulong)Now.Nanoseconds) * 1099511628211;
        if (trace)
        {
            Console.WriteLine($"{Now,12} {text}");
        }
    }

    public void Run(TimeSpan duration)
    {
        Instant end = Now + duration;
        while (queue.TryPeek(out _, out (long At, long Order) next) && next.At <= end.Nanoseconds)
        {
            Action action = queue.Dequeue();
            Now = new(Math.Max(next.At, Now.Nanoseconds));
            action();
        }

        Now = end;
    }
}
