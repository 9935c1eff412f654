using Overlay.Linux.Native;

namespace Overlay.Linux.Memory;

/// <summary>What this process's native code (the runtime, its compiler, OpenSSL) takes from the C library.</summary>
/// <remarks>mallopt(3), malloc_trim(3): glibc's. Another C library has neither, and then nothing happens here.</remarks>
public static class NativeHeap
{
    private const int ArenaMax = -8; // M_ARENA_MAX

    /// <summary>
    /// Threads that allocate share so many heaps. By itself the C library makes eight for each processor, and each keeps
    /// the most that its thread has ever needed: the compiler's working memory, once for each thread that compiled.
    /// </summary>
    /// <returns>False: the C library knows no such limit.</returns>
    public static bool Limit(int arenas)
    {
        try
        {
            return Libc.MallocOption(ArenaMax, arenas) == 1;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Gives every free page of these heaps back, in the middle of them too.</summary>
    /// <returns>False: there was nothing to give back, or the C library cannot.</returns>
    public static bool Trim()
    {
        try
        {
            return Libc.MallocTrim(0) == 1;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
    }
}
