using System.Runtime.ExceptionServices;
using Overlay.Linux.Native;

namespace Overlay.Linux.Namespaces;

/// <summary>
/// Runs short actions inside a network namespace, each on a thread of its own that ends afterwards: setns changes
/// the calling thread only, and a thread of the pool must never carry a foreign namespace away. What the action
/// opens (sockets) stays in that namespace and can be used from any thread.
/// </summary>
public static class InNamespace
{
    /// <param name="target">The namespace to enter.</param>
    /// <param name="action">Must not await: it belongs to this thread.</param>
    /// <exception cref="KernelException">The namespace cannot be entered.</exception>
    public static T Run<T>(NamespaceHandle target, Func<T> action)
    {
        T? result = default;
        ExceptionDispatchInfo? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                Enter(target);
                result = action();
            }
            catch (Exception e)
            {
                // Carried to the caller's thread and thrown there.
                failure = ExceptionDispatchInfo.Capture(e);
            }
        })
        {
            IsBackground = true,
            Name = "overlayd-netns",
        };
        thread.Start();
        thread.Join();
        failure?.Throw();
        return result!;
    }

    public static void Run(NamespaceHandle target, Action action) =>
        Run(target, () =>
        {
            action();
            return true;
        });

    /// <summary>Moves the calling thread, for good: only for threads that end, or always enter first.</summary>
    internal static void Enter(NamespaceHandle target)
    {
        if (Libc.SetNamespace(target.Descriptor, Libc.CloneNewNet) != 0)
        {
            throw KernelException.FromLastError($"cannot enter network namespace {target.Path}");
        }
    }
}
