using Google.Protobuf;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>The whole state in one file, and back.</summary>
internal sealed partial class AdminService
{
    public override async Task<BackupResponse> Backup(BackupRequest request, ServerCallContext context)
    {
        ManagerServer manager = RequireManager("back the cluster up");
        RequireRoot(
            context, "Cannot back the cluster up.", "A backup holds every secret of the cluster, and only root may have it.",
            "sudo overlayd backup FILE");
        StoreSnapshot snapshot = await manager.Loop.SnapshotAsync(context.CancellationToken);
        ClusterObject cluster = snapshot.Objects.Select(static o => o.Cluster).First(static c => c is not null);
        BackupHeader about = new()
        {
            ClusterId = cluster.Id,
            Version = snapshot.Version,
            Epoch = Math.Max(1, cluster.Epoch),
            CreatedUnixMs = host.Services.Clock.UnixMs,
            NodeId = host.Current!.Record.NodeId,
            Hostname = host.Services.Settings.HostName,
            AgentVersion = AgentVersion.Text,
        };
        byte[] file = BackupFile.Write(about, snapshot, cluster.UnlockKey.Span);
        return file.Length <= BackupFile.MostBytes
            ? new() { File = UnsafeByteOperations.UnsafeWrap(file), About = about }
            : throw RefusalStatus.ToException(new(
                RefusalKind.Exhausted, "The cluster was not backed up.", $"Its state has {file.Length} bytes, and a backup may have {BackupFile.MostBytes}.",
                "Copy the log's folder of a manager that is stopped instead."));
    }

    public override async Task<InitResponse> Restore(RestoreRequest request, ServerCallContext context) =>
        RefusalStatus.Require(await host.RestoreAsync(request, context.CancellationToken));
}
