namespace Overlay.Daemon.Manager;

/// <summary>
/// A manager that has heard of no leader for a while may have been removed or cut off: it ends its agents' sessions, so
/// that they find one that knows more.
/// </summary>
internal sealed class Desertion(ManagerLoop loop, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    private volatile CancellationTokenSource now = new();

    /// <summary>Cancelled while there is no leader for too long.</summary>
    public CancellationToken Token => now.Token;

    public async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            Leadership term = loop.Leadership;
            if (!term.View.Leader.IsNone)
            {
                // Those that wait on the former one have ended.
                now = now.IsCancellationRequested ? new() : now;
                await term.WaitAsync(cancellationToken);
            }
            else if (await LastsAsync(cancellationToken))
            {
                await now.CancelAsync();
                await loop.Leadership.WaitAsync(cancellationToken);
            }
        }
    }

    public void Dispose() => now.Dispose();

    private async Task<bool> LastsAsync(CancellationToken cancellationToken)
    {
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await LeaderAsync(enough.Token).WaitAsync(Limit, time, cancellationToken);
            return false;
        }
        catch (TimeoutException)
        {
            await enough.CancelAsync();
            return true;
        }
    }

    /// <summary>A candidate's terms change, and lead nowhere.</summary>
    private async Task LeaderAsync(CancellationToken cancellationToken)
    {
        while (loop.Leadership is { View.Leader.IsNone: true } term)
        {
            await term.WaitAsync(cancellationToken);
        }
    }
}
