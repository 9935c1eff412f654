using System.Security.Cryptography;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>What holds for the whole cluster, as an operator changes it; on the leader.</summary>
internal static class ClusterUpdate
{
    /// <exception cref="Grpc.Core.RpcException">It is refused, or cannot be written now.</exception>
    public static async Task<ChangeClusterResponse> ApplyAsync(
        ManagerLoop loop, ChangeClusterRequest request, CancellationToken cancellationToken)
    {
        ClusterObject cluster = loop.State.Cluster!;
        if (request.HasReplaceManagersSeconds)
        {
            TimeSpan after = TimeSpan.FromSeconds(Math.Clamp(request.ReplaceManagersSeconds, -1, int.MaxValue));
            cluster = RefusalStatus.Require(await loop.ProposeAsync(intent => intent.SetReplaceManagers(after), "", cancellationToken));
        }

        byte[] key = RandomNumberGenerator.GetBytes(UnlockKey.SecretBytes);
        if (request.HasAutolock || request.RotateUnlockKey)
        {
            cluster = RefusalStatus.Require(await loop.ProposeAsync(
                intent => request.RotateUnlockKey ? intent.RotateUnlockKey(key) : request.Autolock ? intent.Lock(key) : intent.Unlock(), "",
                cancellationToken));
        }

        return new()
        {
            UnlockKey = cluster.UnlockKey,
            NewKey = cluster.UnlockKey.Span.SequenceEqual(key),
            ReplaceManagersSeconds = cluster.ReplaceManagersSeconds,
        };
    }
}
