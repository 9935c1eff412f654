using Microsoft.Extensions.Hosting;

namespace Overlay.Daemon.Agent;

/// <summary>
/// For the servers within an agent: signals are the agent's alone, which ends its parts in an order. A manager's server that
/// ended by itself would close the ways to the others before another one leads.
/// </summary>
internal sealed class QuietLifetime : IHostLifetime
{
    public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
