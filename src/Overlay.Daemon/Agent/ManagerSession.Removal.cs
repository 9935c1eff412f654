using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Agent;

/// <summary>A node whose session ends because it was removed.</summary>
internal sealed partial class ManagerSession
{
    private volatile bool removed;

    /// <summary>Before the connection is closed, and with it the calls that still wait for answers.</summary>
    private async Task NotingRemovalAsync(Task session)
    {
        try
        {
            await session;
        }
        catch (RpcException e) when (RefusalStatus.FromException(e) is { Kind: RefusalKind.NotPermitted })
        {
            removed = true;
            throw;
        }
    }
}
