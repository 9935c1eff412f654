using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Agent;

/// <summary>A node whose session ends because it was removed.</summary>
internal sealed partial class ManagerSession
{
    /// <summary>In the words of the manager that said so; null: this node is a member.</summary>
    private volatile string? removal;

    /// <summary>Before the connection is closed, and with it the calls that still wait for answers.</summary>
    private async Task NotingRemovalAsync(Task session)
    {
        try
        {
            await session;
        }
        catch (RpcException e) when (RefusalStatus.FromException(e) is { Kind: RefusalKind.NotPermitted })
        {
            removal = e.Status.Detail;
            throw;
        }
    }
}
