using Grpc.Core;

namespace Overlay.Daemon.Agent;

/// <summary>This node says which keys its gossip goes by.</summary>
internal sealed partial class ManagerSession
{
    /// <summary>False: no manager heard it.</summary>
    public async Task<bool> ConfirmKeysAsync(ulong version, CancellationToken cancellationToken)
    {
        if (state.Client is not { } client)
        {
            return false;
        }

        try
        {
            await client.ConfirmKeysAsync(
                new() { Version = version }, deadline: time.GetUtcNow().UtcDateTime + CallTimeout, cancellationToken: cancellationToken);
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
