using System.Collections.Concurrent;

namespace Overlay.Linux.Namespaces;

/// <summary>
/// One thread that goes from namespace to namespace, for actions that are short and many: nobody waits for it blocked, and none
/// needs a thread of its own. It always enters before it acts, and is never in a namespace of anybody's choice else.
/// </summary>
public sealed class NamespaceThread : IDisposable
{
    private readonly BlockingCollection<Action> work = [];
    private readonly Lock gate = new();
    private Thread? thread;

    /// <summary>Runs the action inside the namespace; its exceptions are the task's.</summary>
    /// <param name="open">The namespace to enter; opened there, and closed again.</param>
    /// <param name="action">Must not await. What it opens stays in that namespace, and is the caller's.</param>
    public Task<T> RunAsync<T>(Func<NamespaceHandle> open, Func<T> action)
    {
        TaskCompletionSource<T> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        work.Add(() =>
        {
            try
            {
                using NamespaceHandle target = open();
                InNamespace.Enter(target);
                done.SetResult(action());
            }
            catch (Exception e)
            {
                // Carried to whoever awaits.
                done.SetException(e);
            }
        });
        lock (gate)
        {
            if (thread is null)
            {
                thread = new(Loop) { IsBackground = true, Name = "overlayd-checks" };
                thread.Start();
            }
        }

        return done.Task;
    }

    public void Dispose()
    {
        work.CompleteAdding();
        thread?.Join();
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
