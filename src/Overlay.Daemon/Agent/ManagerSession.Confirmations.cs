using Grpc.Core;

namespace Overlay.Daemon.Agent;

/// <summary>What this node says of itself while the session is open: which keys its gossip goes by, and that its drain is known to all.</summary>
internal sealed partial class ManagerSession
{
    /// <summary>False: no manager heard it.</summary>
    public Task<bool> ConfirmKeysAsync(ulong version, CancellationToken cancellationToken) => TellAsync(
        (client, deadline) => client.ConfirmKeysAsync(new() { Version = version }, deadline: deadline, cancellationToken: cancellationToken));

    /// <summary>False: no manager heard it.</summary>
    public Task<bool> ConfirmDrainAsync(long drain, CancellationToken cancellationToken) => TellAsync(
        (client, deadline) => client.ConfirmDrainAsync(new() { DrainUnixMs = drain }, deadline: deadline, cancellationToken: cancellationToken));

    private async Task<bool> TellAsync<T>(Func<V1.Agent.AgentClient, DateTime, AsyncUnaryCall<T>> tell)
    {
        if (state.Client is not { } client)
        {
            return false;
        }

        try
        {
            using AsyncUnaryCall<T> call = tell(client, time.GetUtcNow().UtcDateTime + CallTimeout);
            await call;
            return true;
        }
        catch (RpcException e)
        {
            // A manager that does not know the call goes on without it.
            return e.StatusCode is StatusCode.Unimplemented or StatusCode.PermissionDenied;
        }
        catch (ObjectDisposedException)
        {
            // The session ended between the look at it and the call.
            return false;
        }
    }
}
