using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Manager;

/// <summary>Puts a new root in force as soon as every node has a certificate of its key, and tells how far it is.</summary>
internal sealed partial class CaKeeper(ManagerLoop loop, ILogger<CaKeeper> logger)
{
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        int told = -1;
        ClusterState state = loop.State;
        while (true)
        {
            if (CaProgress.Of(state) is not { } progress)
            {
                told = -1;
            }
            else if (progress.IsComplete)
            {
                RefusalStatus.Require(await loop.ProposeAsync(static intent => intent.FinishCaRotation(), "", cancellationToken));
                LogInForce(progress.Nodes);
            }
            else if (progress.Done != told)
            {
                told = progress.Done;
                LogProgress(progress.Done, progress.Nodes, progress.WaitingText);
            }

            state = await loop.WaitForChangeAsync(state.Version, cancellationToken);
        }
    }

    [LoggerMessage(EventId = 760, Level = LogLevel.Information, Message = "The new root certificate is at {Done} of {Nodes} nodes; {Missing}")]
    private partial void LogProgress(int done, int nodes, string missing);

    [LoggerMessage(EventId = 761, Level = LogLevel.Information, Message = "The new root certificate is in force, with all {Nodes} nodes")]
    private partial void LogInForce(int nodes);
}
