using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.Raft.Consensus;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>A cluster begins anew on this host: from what its manager has, or from a backup.</summary>
internal sealed partial class AgentHost
{
    private const string NotBegunAnew = "The cluster was not begun anew.";

    /// <summary>
    /// The manager here goes on as the only one. The data plane is not touched. Where it fails, the manager is as it was.
    /// </summary>
    private async Task<Outcome<InitResponse>> ForceNewAsync(InitRequest request, CancellationToken cancellationToken)
    {
        if (membership is not { } current)
        {
            return Absence("begin the cluster anew");
        }

        if (current.Manager is not { } manager)
        {
            return new Refusal(
                RefusalKind.NotPermitted, NotBegunAnew, "This node is a worker, and has nothing of what the managers agreed on.",
                "Type it on a manager that is left; if there is none, restore a backup with `overlayd restore`.");
        }

        if (manager.Loop.Engine.Quorum is { Total: > 1 } quorum && quorum.Reachable >= quorum.Needed)
        {
            return new Refusal(
                RefusalKind.Conflict, NotBegunAnew,
                $"{quorum.Reachable} of {quorum.Total} managers are reachable, and {quorum.Needed} are enough.",
                "Take managers that are lost out with `overlayd node rm --force NODE`.");
        }

        if (NewRecord(current.Record, request) is var chosen && chosen.Refusal is { } unclear)
        {
            return unclear;
        }

        MembershipRecord record = chosen.Value;
        NodeObject self = SelfOf(record);
        RaftStatus status = await manager.Loop.Engine.StatusAsync(cancellationToken);
        membership = null;
        await current.DisposeAsync();
        Outcome<NewEpoch.Begun> begun;
        try
        {
            begun = NewEpoch.Force(
                new DiskFolder(ManagerStorage.FolderOf(services.Settings.StateFolder)), record.ClusterId, self, services.Lock.Key,
                services.Clock.UnixMs, [current.Identity.Seal]);
            if (!begun.IsRefused)
            {
                record = record with { Epoch = begun.Value.Cluster.Epoch };
                record.Save(services.Settings.StateFolder);
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            begun = new Refusal(
                RefusalKind.Unavailable, NotBegunAnew, e.Message.TrimEnd('.') + ".",
                "When that is put right, type `overlayd init --force-new-cluster` again.");
        }

        await ReenterAsync(begun.IsRefused ? current.Record : record, current.Identity);
        if (begun.Refusal is { } refusal)
        {
            return refusal;
        }

        LogForced(record.ClusterId, begun.Value.Cluster.Epoch, status.Commit, begun.Value.LastBefore);
        bool isUndecided = begun.Value.LastBefore > status.Commit;
        InitResponse answer = Answer(begun.Value.Cluster, record);
        answer.FirstUndecided = isUndecided ? status.Commit + 1 : 0;
        answer.LastUndecided = isUndecided ? begun.Value.LastBefore : 0;
        return answer;
    }

    /// <summary>The cluster of a backup goes on with this host as its only manager.</summary>
    public async Task<Outcome<InitResponse>> RestoreAsync(RestoreRequest request, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (AlreadyMember() is { } refusal)
        {
            return refusal;
        }

        byte[] unlockKey = [];
        if (request.UnlockKey.Length > 0)
        {
            Outcome<UnlockKey> parsed = UnlockKey.Parse(request.UnlockKey);
            if (parsed.Refusal is { } unreadable)
            {
                return unreadable;
            }

            unlockKey = parsed.Value.Secret.ToArray();
        }

        if (!BackupFile.Read(request.File.Span, unlockKey).TryGet(out StoreSnapshot? backup, out Refusal? unusable))
        {
            return unusable;
        }

        Outcome<AgentAddresses> chosen = AgentAddresses.Choose(
            services.Settings, request.AdvertiseAddress, request.ListenAddress, request.DataPathAddress);
        return chosen.Refusal is { } unclear ? unclear
            : chosen.Value.PortTaken() is { } taken ? taken
            : await RestoreAsync(backup, chosen.Value, cancellationToken);
    }

    private async Task<Outcome<InitResponse>> RestoreAsync(StoreSnapshot backup, AgentAddresses addresses, CancellationToken cancellationToken)
    {
        ClusterObject? cluster = backup.Objects.Select(static o => o.Cluster).SingleOrDefault(static c => c is not null);
        if (cluster is null)
        {
            return new Refusal(
                RefusalKind.Invalid, "Nothing was restored.", "The backup holds no cluster.", "Name a file that `overlayd backup` made.");
        }

        // On the host of a node that is in it this is that node again, with the addresses that are leased to it.
        NodeObject? former = backup.Objects.Select(static o => o.Node).FirstOrDefault(
            n => n is not null && n.GossipAddress == addresses.Gossip.ToString() && n.DataPathAddress == addresses.DataPath.ToString());
        MembershipRecord record = addresses.ToRecord(cluster.Id, former?.Id ?? NewId(), []);
        NodeObject self = SelfOf(record);
        self.MemberId = BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8)) | 1;
        NodeIdentity identity;
        NewEpoch.Begun begun;
        try
        {
            Membership.Erase(services.Settings.StateFolder);
            DiskFolder folder = new(ManagerStorage.FolderOf(services.Settings.StateFolder));
            Outcome<NewEpoch.Begun> made = NewEpoch.Restore(folder, backup, self, services.Clock.UnixMs, out LogStore? log);
            using (log)
            {
                if (made.Refusal is { } refused)
                {
                    return refused;
                }

                begun = made.Value;
                identity = IdentityFor(begun.Cluster, NodeId.Parse(record.NodeId));
                if (!begun.Cluster.UnlockKey.IsEmpty)
                {
                    identity.Protect(log!.Keys);
                }
            }

            services.Lock.Key = begun.Cluster.UnlockKey.ToByteArray();
            record = record with { Epoch = begun.Cluster.Epoch };
            record.Save(services.Settings.StateFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return NotWritten("Nothing was restored.", e, "overlayd restore");
        }

        await EnterAsync(record, identity, cancellationToken);
        await WaitForAssignmentAsync(cancellationToken);
        LogRestored(record.ClusterId, begun.Cluster.Epoch, backup.Version);
        return Answer(begun.Cluster, record);
    }

    private NodeIdentity IdentityFor(ClusterObject cluster, NodeId node)
    {
        using CertificateAuthority authority = CertificateAuthority.Load(cluster.CaCertificate.ToByteArray(), cluster.CaKey.ToByteArray());
        return NodeIdentity.Create(
            services.Settings.StateFolder, authority, node, NodeRole.Manager, cluster.Id,
            TimeSpan.FromSeconds(cluster.CertificateLifeSeconds), services.Clock.Time.GetUtcNow());
    }

    /// <summary>The addresses of before, unless others are named.</summary>
    private Outcome<MembershipRecord> NewRecord(MembershipRecord before, InitRequest request)
    {
        if (request is { AdvertiseAddress: "", ListenAddress: "", DataPathAddress: "" })
        {
            return before;
        }

        Outcome<AgentAddresses> chosen = AgentAddresses.Choose(
            services.Settings, request.AdvertiseAddress, request.ListenAddress, request.DataPathAddress);
        return chosen.Refusal is { } unclear ? unclear : chosen.Value.ToRecord(before.ClusterId, before.NodeId, before.Managers);
    }

    private NodeObject SelfOf(MembershipRecord record) => new()
    {
        Id = record.NodeId,
        Hostname = services.Settings.HostName,
        Role = NodeRole.Manager,
        GossipAddress = record.GossipAddress,
        DataPathAddress = record.DataPathAddress,
        ControlAddress = record.ControlAddress,
        AgentVersion = AgentVersion.Text,
    };

    private static InitResponse Answer(ClusterObject cluster, MembershipRecord record)
    {
        string token = JoinToken.For(cluster.CaCertificate.Span, cluster.WorkerSecret.Span).Format();
        return new()
        {
            ClusterId = cluster.Id,
            NodeId = record.NodeId,
            WorkerToken = token,
            ManagerAddress = record.ControlAddress,
            JoinCommand = $"overlayd join --token {token} {record.ControlAddress}",
            Epoch = cluster.Epoch,
        };
    }

    /// <summary>The agent has no other way to go on than with its membership: without one it must start anew.</summary>
    private async Task ReenterAsync(MembershipRecord record, NodeIdentity identity)
    {
        try
        {
            await EnterAsync(record, identity, CancellationToken.None);
        }
        catch (Exception e)
        {
            failed.TrySetException(e);
            throw;
        }
    }

    [LoggerMessage(
        EventId = 808, Level = LogLevel.Warning,
        Message = "Cluster {Cluster} goes on with this manager alone, in epoch {Epoch}; {Decided} entries of {Last} were known to be decided")]
    private partial void LogForced(string cluster, ulong epoch, ulong decided, ulong last);

    [LoggerMessage(
        EventId = 809, Level = LogLevel.Information,
        Message = "Cluster {Cluster} was restored, in epoch {Epoch}, from a backup of version {Version}")]
    private partial void LogRestored(string cluster, ulong epoch, ulong version);
}
