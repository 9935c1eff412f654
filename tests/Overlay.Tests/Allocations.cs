namespace Overlay.Tests;

/// <summary>What code allocates on its own thread.</summary>
internal static class Allocations
{
    private const int Batches = 5;

    /// <summary>
    /// Bytes of the cheapest of several equal batches: what the code allocates it allocates in each; what the runtime
    /// adds comes and goes, as when a collection that another thread asked for cuts this thread's buffer short.
    /// </summary>
    /// <param name="batch">Run once more before, to warm up.</param>
    public static long Least(Action batch)
    {
        batch();
        long least = long.MaxValue;
        for (int i = 0; i < Batches; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            batch();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
