using Grpc.Core;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Puts a new root in force as soon as every node has a certificate of its key, and tells how far it is.</summary>
internal sealed partial class CaKeeper(ManagerLoop loop, TimeProvider time, ILogger<CaKeeper> logger)
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(30);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await KeepAsync(cancellationToken);
        }
        catch (RpcException)
        {
            // The store has ended, and tells why itself.
            await Task.Delay(Timeout.InfiniteTimeSpan, time, cancellationToken);
        }
    }

    private async Task KeepAsync(CancellationToken cancellationToken)
    {
        int told = -1;
        ClusterState state = loop.State;
        while (true)
        {
            CaProgress? progress = CaProgress.Of(state);
            if (progress is { IsComplete: true })
            {
                await FinishAsync(progress, cancellationToken);
                state = loop.State;
                told = -1;
                continue;
            }

            if (progress is not null && progress.Done != told)
            {
                LogProgress(progress.Done, progress.Nodes, progress.WaitingText);
            }

            told = progress?.Done ?? -1;
            state = await loop.WaitForCalmAsync(state.Version, cancellationToken);
        }
    }

    private async Task FinishAsync(CaProgress progress, CancellationToken cancellationToken)
    {
        Outcome<ClusterObject> finished = await loop.ProposeAsync(
            static intent => intent.FinishCaRotation(), "", cancellationToken);
        if (finished.Refusal is { } refusal)
        {
            LogNotYet(refusal.Why);
            await Task.Delay(Pause, time, cancellationToken);
            return;
        }

        LogInForce(progress.Nodes);
    }

    [LoggerMessage(EventId = 760, Level = LogLevel.Information, Message = "The new root certificate is at {Done} of {Nodes} nodes; {Missing}")]
    private partial void LogProgress(int done, int nodes, string missing);

    [LoggerMessage(EventId = 761, Level = LogLevel.Information, Message = "The new root certificate is in force, with all {Nodes} nodes")]
    private partial void LogInForce(int nodes);

    [LoggerMessage(EventId = 762, Level = LogLevel.Warning, Message = "The new root certificate is at all nodes, and could not be put in force yet: {Reason}")]
    private partial void LogNotYet(string reason);
}
