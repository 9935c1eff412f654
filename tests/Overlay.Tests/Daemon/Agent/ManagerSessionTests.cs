using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.Tests.Daemon.Trust;

namespace Overlay.Tests.Daemon.Agent;

/// <summary>An agent's line to a real manager.</summary>
public sealed class ManagerSessionTests : IAsyncLifetime
{
    private TrustCluster cluster = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => cluster = await TrustCluster.StartAsync(Cancelled);

    public ValueTask DisposeAsync() => cluster.DisposeAsync();

    /// <summary>It may say that the node is to have a certificate of another role or root: waiting for a second one is long.</summary>
    [Fact]
    public async Task Who_hears_the_first_assignment_can_ask_the_manager_already()
    {
        Outcome<NodeIdentity> joined = await cluster.JoinAsync(cluster.WorkerToken, Cancelled);
        Assert.False(joined.IsRefused, joined.Refusal?.ToString());
        NodeIdentity identity = joined.Value;
        TaskCompletionSource<NodeIdentity.Issued?> renewed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        ManagerSession? session = null;
        session = new(
            identity, () => [cluster.Address], () => TrustCluster.Description(),
            async (assignment, cancellationToken) =>
            {
                Assert.True(assignment.Complete);
                renewed.TrySetResult(await session!.RenewAsync(identity.CreateRequest(), cancellationToken));
            },
            static _ => { }, new Prng(1), TimeProvider.System, cluster.Instruments, cluster.Logs.Factory.CreateLogger<ManagerSession>());
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Task running = session.RunAsync(stop.Token);
        Assert.NotNull(await renewed.Task.WaitAsync(Cancelled));
        await stop.CancelAsync();
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ContinueOnCapturedContext);
    }
}
