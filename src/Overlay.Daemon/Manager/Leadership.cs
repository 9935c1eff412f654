using Overlay.Daemon.Manager.Replication;

namespace Overlay.Daemon.Manager;

/// <summary>Who leads, from one change of that to the next.</summary>
/// <param name="leads">This manager does, and has applied everything that leaders before it left.</param>
internal sealed class Leadership(EngineView view, bool leads)
{
    private readonly TaskCompletionSource over = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private volatile bool isLast;

    public EngineView View => view;

    public bool Leads => leads;

    /// <summary>Ends when this is no longer so.</summary>
    public Task Over => over.Task;

    public void Pass() => over.TrySetResult();

    /// <summary>The manager has ended: there will be no other.</summary>
    public void PassForGood()
    {
        isLast = true;
        Pass();
    }

    /// <summary>Returns when this is no longer so, and something else is; never, once the manager has ended.</summary>
    public async Task WaitAsync(CancellationToken cancellationToken)
    {
        await over.Task.WaitAsync(cancellationToken);
        if (isLast)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
