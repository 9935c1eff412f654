using Grpc.Core;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Nodes say which keys their gossip goes by.</summary>
internal sealed partial class AgentService
{
    public override async Task<ConfirmKeysResponse> ConfirmKeys(ConfirmKeysRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        await EnsureMemberAsync(caller, context.CancellationToken);
        keys.Confirm(caller.ToString(), request.Version);
        return new();
    }
}
