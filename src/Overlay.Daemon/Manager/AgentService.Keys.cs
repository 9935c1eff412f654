using Grpc.Core;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>Nodes say which keys their gossip goes by.</summary>
internal sealed partial class AgentService
{
    public override Task<ConfirmKeysResponse> ConfirmKeys(ConfirmKeysRequest request, ServerCallContext context)
    {
        NodeId caller = Caller(context);
        EnsureMember(manager.State, caller);
        keys.Confirm(caller.ToString(), request.Version);
        return Task.FromResult(new ConfirmKeysResponse());
    }
}
