using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;

namespace Overlay.Linux.Execution;

/// <summary>
/// The one thread that changes network namespaces as it works. Its name is in the kernel's records of nftables
/// changes, by which we know our own.
/// </summary>
internal sealed class KernelThread : IDisposable
{
    /// <summary>15 bytes, the most that the kernel keeps.</summary>
    public const string Name = "overlayd-kernel";

    private readonly BlockingCollection<Action> work = new(boundedCapacity: 16);
    private readonly Thread thread;

    public KernelThread()
    {
        thread = new(Loop) { IsBackground = true, Name = Name };
        thread.Start();
    }

    /// <summary>Runs the action there and waits for its end; its exceptions are thrown here.</summary>
    public T Run<T>(Func<T> action)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        using ManualResetEventSlim done = new();
        work.Add(() =>
        {
            try
            {
                result = action();
            }
            catch (Exception e)
            {
                // Carried to the caller and thrown there.
                failure = ExceptionDispatchInfo.Capture(e);
            }
            finally
            {
                done.Set();
            }
        });
        done.Wait();
        failure?.Throw();
        return result!;
    }

    public void Dispose()
    {
        work.CompleteAdding();
        thread.Join();
        work.Dispose();
    }

    private void Loop()
    {
        foreach (Action action in work.GetConsumingEnumerable())
        {
            action();
        }
    }
}
