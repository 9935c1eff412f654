using Grpc.Core;

namespace Overlay.Daemon.Manager;

/// <summary>Runs what one manager at a time must do, on this one while it leads.</summary>
internal sealed class LeaderDuties(ManagerLoop loop, TimeProvider time, params Func<CancellationToken, Task>[] duties)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Leadership now = loop.Leadership;
            if (now.Leads && !now.Over.IsCompleted)
            {
                await ServeAsync(now, cancellationToken);
            }
            else
            {
                await now.WaitAsync(cancellationToken);
            }
        }
    }

    private async Task ServeAsync(Leadership term, CancellationToken cancellationToken)
    {
        using CancellationTokenSource ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task[] running = [.. duties.Select(duty => duty(ended.Token))];
        await Task.WhenAny([term.Over, Task.Delay(Timeout.Infinite, ended.Token), .. running]);
        await ended.CancelAsync();
        await Task.WhenAll(running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (Task failed in running.Where(static t => t.IsFaulted))
        {
            if (failed.Exception!.InnerException is not RpcException)
            {
                await failed;
            }

            // The store has ended, which it tells itself, or the leadership.
            await Task.Delay(Pause, time, cancellationToken);
        }
    }
}
