using Grpc.Core;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>Managers whose disks are locked, and the key that opens them.</summary>
internal sealed partial class AdminService
{
    private const string OpensDisks = "It opens the managers' disks, and only root may see it.";

    public override async Task<UnlockResponse> Unlock(UnlockRequest request, ServerCallContext context) =>
        RefusalStatus.Require(await host.UnlockAsync(request.Key, context.CancellationToken));

    public override async Task<UnlockKeyResponse> ShowUnlockKey(ShowUnlockKeyRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("show the unlock key");
        RequireRoot(context, "Cannot show the unlock key.", OpensDisks, "sudo overlayd unlock-key show");
        ClusterState state = await manager.Loop.ReadAsync(context.CancellationToken);
        return !state.Cluster!.UnlockKey.IsEmpty
            ? new() { Key = UnlockKey.Of(state.Cluster.UnlockKey.Span).Format() }
            : throw RefusalStatus.ToException(new(
                RefusalKind.NotFound, "There is no unlock key.", "This cluster is not locked.",
                "Type `overlayd update --autolock=true` to lock it."));
    }

    public override async Task<UnlockKeyResponse> RotateUnlockKey(RotateUnlockKeyRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("replace the unlock key");
        RequireRoot(context, "Cannot replace the unlock key.", OpensDisks, "sudo overlayd unlock-key rotate");
        ChangeClusterResponse rotated = await ChangeClusterAsync(manager, new() { RotateUnlockKey = true }, context.CancellationToken);
        return new() { Key = UnlockKey.Of(rotated.UnlockKey.Span).Format() };
    }

    public override async Task<UpdateClusterResponse> UpdateCluster(UpdateClusterRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("change the cluster");
        if (request.HasAutolock)
        {
            RequireRoot(
                context, "Cannot change the lock.", OpensDisks, $"sudo overlayd update --autolock={(request.Autolock ? "true" : "false")}");
        }

        ChangeClusterRequest change = new();
        if (request.HasAutolock)
        {
            change.Autolock = request.Autolock;
        }

        if (request.HasReplaceManagersSeconds)
        {
            change.ReplaceManagersSeconds = request.ReplaceManagersSeconds;
        }

        ChangeClusterResponse changed = await ChangeClusterAsync(manager, change, context.CancellationToken);
        return new()
        {
            Autolock = !changed.UnlockKey.IsEmpty,
            UnlockKey = changed.NewKey ? UnlockKey.Of(changed.UnlockKey.Span).Format() : "",
            ReplaceManagersSeconds = changed.ReplaceManagersSeconds,
        };
    }

    /// <summary>
    /// By the leader, whichever manager is asked: who may is decided here, where the operator's socket is, and the key comes
    /// over mutual TLS. It ends when this manager's disk is as wanted; the others follow.
    /// </summary>
    private static async Task<ChangeClusterResponse> ChangeClusterAsync(
        ManagerServer manager, ChangeClusterRequest request, CancellationToken cancellationToken)
    {
        ChangeClusterResponse? elsewhere = manager.Loop.Leadership.View.IsLeader
            ? null
            : await manager.Proxy.CallAsync(
                "/overlay.v1.Control/ChangeCluster", request, ChangeClusterResponse.Parser, cancellationToken);
        ChangeClusterResponse changed = elsewhere ?? await ClusterUpdate.ApplyAsync(manager.Loop, request, cancellationToken);
        if (request.HasAutolock || request.RotateUnlockKey)
        {
            await manager.Locking.WaitAsync(changed.UnlockKey.Memory, cancellationToken);
        }

        return changed;
    }

    private void DescribeLocked(StatusResponse response)
    {
        if (host.Locked is not { } record)
        {
            return;
        }

        response.ClusterId = record.ClusterId;
        response.NodeId = record.NodeId;
        response.Role = NodeRole.Manager;
        response.AdvertiseAddress = record.GossipAddress;
        response.DataPathAddress = record.DataPathAddress;
        response.State = "locked";
        response.Locked = true;
        response.Problems.Add(
            "This manager is locked since its restart: type `overlayd unlock` and give it the cluster's unlock key. "
            + "What is attached here works on as it is.");
    }

    private static void RequireRoot(ServerCallContext context, string what, string why, string next)
    {
        if (!IsRoot(context))
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.NotPermitted, what, why, $"Type `{next}`."));
        }
    }
}
