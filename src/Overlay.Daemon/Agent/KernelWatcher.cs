using System.Collections.Immutable;
using System.Threading.Channels;
using Overlay.Dataplane;
using Overlay.Linux;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Listens to the kernel in the namespaces that have something of ours, and passes on where something changed. The wanted set comes
/// from the reconciler; only the newest counts.
/// </summary>
internal sealed class KernelWatcher(KernelEvents events, Action<NamespaceName> changed)
{
    private readonly Channel<ImmutableSortedSet<NamespaceName>> wanted =
        Channel.CreateBounded<ImmutableSortedSet<NamespaceName>>(
            new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });

    public void Watch(ImmutableSortedSet<NamespaceName> names) => wanted.Writer.TryWrite(names);

    public Task RunAsync(CancellationToken cancellationToken) =>
        Task.WhenAll(FollowAsync(cancellationToken), ListenAsync(cancellationToken));

    private async Task FollowAsync(CancellationToken cancellationToken)
    {
        ImmutableSortedSet<NamespaceName> watched = [];
        await foreach (ImmutableSortedSet<NamespaceName> names in wanted.Reader.ReadAllAsync(cancellationToken))
        {
            foreach (NamespaceName gone in watched.Except(names))
            {
                await events.UnwatchAsync(gone);
            }

            ImmutableSortedSet<NamespaceName>.Builder reached = ImmutableSortedSet.CreateBuilder<NamespaceName>();
            foreach (NamespaceName name in names)
            {
                try
                {
                    await events.WatchAsync(name);
                    reached.Add(name);
                }
                catch (KernelException)
                {
                    // It went away in the meantime: the reconciler makes it again and asks again.
                    changed(name);
                }
            }

            watched = reached.ToImmutable();
        }
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            foreach (NamespaceName name in await events.WaitAsync(cancellationToken))
            {
                changed(name);
            }
        }
    }
}
