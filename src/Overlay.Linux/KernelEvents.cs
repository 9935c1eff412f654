using System.Threading.Channels;
using Overlay.Dataplane;
using Overlay.Linux.Events;
using Overlay.Linux.Namespaces;

namespace Overlay.Linux;

/// <summary>
/// Tells in which namespaces something changed that a plan could be about: links, addresses, routes, neighbours,
/// forwarding entries, nftables. It does not tell what: the answer to a notification is to observe. Of our own
/// changes most are left out, but not all (forwarding entries carry no author): whoever listens will once in a while
/// observe that nothing is to be done. Sysctls and the removal of a namespace's name give no notification.
/// </summary>
/// <remarks>
/// A watched namespace is held alive: end the watch of a sandbox when its name is gone. In sandboxes only nftables, addresses
/// and rules are listened for; a pair that goes away there is also seen at its other end.
/// </remarks>
public sealed class KernelEvents(NamespaceDirectory directory) : IAsyncDisposable
{
    private readonly Channel<bool> signal = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    private readonly Lock gate = new();
    private readonly SortedDictionary<NamespaceName, NamespaceWatch> watches = [];
    private readonly SortedSet<NamespaceName> changed = [];

    /// <summary>
    /// Watches a namespace; one that is watched already stays so, unless the name now means another. Called by one
    /// thread at a time.
    /// </summary>
    /// <exception cref="KernelException">It does not exist, or cannot be entered.</exception>
    public async Task WatchAsync(NamespaceName name)
    {
        using NamespaceHandle handle = directory.Open(name);
        if (watches.TryGetValue(name, out NamespaceWatch? known) && known.Identity == handle.Identity)
        {
            return;
        }

        await UnwatchAsync(name);
        watches[name] = NamespaceWatch.Start(handle, !name.IsHost && !name.IsOverlay, () => Report(name), e => signal.Writer.TryComplete(e));
    }

    /// <summary>Ends the watch, and with it our hold on the namespace.</summary>
    public async Task UnwatchAsync(NamespaceName name)
    {
        if (watches.Remove(name, out NamespaceWatch? watch))
        {
            await watch.DisposeAsync();
            lock (gate)
            {
                changed.Remove(name);
            }
        }
    }

    /// <summary>Waits until something changed, and names the namespaces where it did since the last call.</summary>
    /// <exception cref="ChannelClosedException">A socket failed; its error is inside.</exception>
    public async ValueTask<IReadOnlyList<NamespaceName>> WaitAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            await signal.Reader.ReadAsync(cancellationToken);
            lock (gate)
            {
                if (changed.Count > 0)
                {
                    NamespaceName[] names = [.. changed];
                    changed.Clear();
                    return names;
                }
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (NamespaceName name in watches.Keys.ToArray())
        {
            await UnwatchAsync(name);
        }
    }

    private void Report(NamespaceName name)
    {
        lock (gate)
        {
            changed.Add(name);
        }

        signal.Writer.TryWrite(true);
    }
}
