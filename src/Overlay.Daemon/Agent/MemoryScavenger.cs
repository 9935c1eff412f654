using Microsoft.Extensions.Logging;
using Overlay.Linux.Memory;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Gives memory back once a burst of work is over: what the collector keeps for allocations that do not come, what the
/// compiler has worked with, and pages of code that only the burst (starting is one) has used. The runtime itself does
/// nothing of that while it is idle.
/// </summary>
internal sealed partial class MemoryScavenger(TimeProvider time, ILogger<MemoryScavenger> logger)
{
    /// <summary>Allocations since the last time that make a collection of some milliseconds worth it.</summary>
    private const long WorthIt = 4 << 20;

    /// <summary>Allocations in one interval up to which the agent counts as quiet.</summary>
    private const long Quiet = 3 << 20;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private long lastSeen;
    private long lastScavenged;

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(Interval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (IsDue(GC.GetTotalAllocatedBytes()))
            {
                GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
                long released = FileMappings.Release();
                NativeHeap.Trim();
                Scavenged(GC.GetTotalAllocatedBytes());
                LogScavenged(released);
            }
        }
    }

    /// <summary>Asked once an interval.</summary>
    /// <param name="allocated">Bytes allocated since the process began.</param>
    internal bool IsDue(long allocated)
    {
        bool quiet = allocated - lastSeen <= Quiet;
        lastSeen = allocated;
        return quiet && allocated - lastScavenged >= WorthIt;
    }

    /// <summary>What scavenging itself allocated is no reason to do it again.</summary>
    /// <param name="allocated">As of its end.</param>
    internal void Scavenged(long allocated)
    {
        lastSeen = allocated;
        lastScavenged = allocated;
    }

    [LoggerMessage(EventId = 420, Level = LogLevel.Debug, Message = "Unused memory is given back; {Bytes} bytes of mapped files were resident")]
    private partial void LogScavenged(long bytes);
}
