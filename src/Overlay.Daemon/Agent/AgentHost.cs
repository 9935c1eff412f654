using System.Security.Cryptography;
using Google.Protobuf;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Trust;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The agent's life: in no cluster, or in one. Entering and leaving are serial; each either completes or leaves
/// things as they were.
/// </summary>
internal sealed partial class AgentHost(AgentServices services, ILogger<AgentHost> logger) : IAsyncDisposable
{
    private static readonly TimeSpan FirstAssignmentTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FarewellTime = TimeSpan.FromMilliseconds(500);
    private readonly SemaphoreSlim gate = new(1);
    private readonly TaskCompletionSource failed = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Membership? membership;

    public AgentServices Services => services;

    public Membership? Current => membership;

    /// <summary>Ends with an exception when the agent cannot go on.</summary>
    public Task Failure => failed.Task;

    /// <summary>Goes on where this host left off.</summary>
    public async Task ResumeAsync(CancellationToken cancellationToken)
    {
        if (MembershipRecord.Load(services.Settings.StateFolder) is not { } record)
        {
            services.Reconciler.Start();
            return;
        }

        NodeIdentity identity = NodeIdentity.Load(services.Settings.StateFolder);
        await EnterAsync(record, identity, cancellationToken);
        services.Reconciler.Start();
        LogResumed(record.ClusterId, record.NodeId);
    }

    public async Task<Outcome<InitResponse>> InitAsync(InitRequest request, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (AlreadyMember() is { } refusal)
        {
            return refusal;
        }

        Outcome<AgentAddresses> chosen = AgentAddresses.Choose(
            services.Settings, request.AdvertiseAddress, request.ListenAddress, request.DataPathAddress);
        if (chosen.Refusal is { } unclear)
        {
            return unclear;
        }

        AgentAddresses addresses = chosen.Value;
        string clusterId = NewId();
        NodeId nodeId = NodeId.Parse(NewId());
        byte[] workerSecret = RandomNumberGenerator.GetBytes(16);
        using CertificateAuthority authority = CertificateAuthority.Create(clusterId, services.Clock.Time.GetUtcNow());
        NodeObject self = addresses.ToNode(nodeId.ToString(), NodeRole.Manager);
        self.Routes.AddRange(services.HostRoutes());
        self.MemberId = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1;
        BootstrapSpec spec = new()
        {
            ClusterId = clusterId,
            CaCertificate = ByteString.CopyFrom(authority.CertificateDer),
            CaKey = ByteString.CopyFrom(authority.ExportKey()),
            WorkerSecret = ByteString.CopyFrom(workerSecret),
            ManagerSecret = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(16)),
            GossipKey = ByteString.CopyFrom(RandomNumberGenerator.GetBytes(Limits.GossipKeyBytes)),
            FirstManager = self,
            DefaultPools = [.. request.DefaultAddressPools],
            DefaultPoolPrefix = request.DefaultPoolPrefix,
            VxlanPort = request.VxlanPort,
            CertificateLifeSeconds = request.CertificateLifeSeconds,
        };
        Outcome<Proposal<ClusterObject>> bootstrap = new Intent(ClusterState.Empty, "", services.Clock.UnixMs).Bootstrap(spec);
        if (bootstrap.Refusal is { } invalid)
        {
            return invalid;
        }

        if (addresses.PortTaken() is { } taken)
        {
            return taken;
        }

        MembershipRecord record = addresses.ToRecord(clusterId, nodeId.ToString(), manager: true, []);
        NodeIdentity identity;
        try
        {
            Membership.Erase(services.Settings.StateFolder);
            identity = NodeIdentity.Create(
                services.Settings.StateFolder, authority, nodeId, NodeRole.Manager, clusterId,
                TimeSpan.FromSeconds(bootstrap.Value.Result.CertificateLifeSeconds), services.Clock.Time.GetUtcNow());
            ManagerServer.CreateLog(services.Settings.StateFolder, bootstrap.Value);
            record.Save(services.Settings.StateFolder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return NotWritten("The cluster was not begun.", e, "overlayd init");
        }

        await EnterAsync(record, identity, cancellationToken);
        await WaitForAssignmentAsync(cancellationToken);
        LogInitialized(clusterId, nodeId);
        string token = JoinToken.For(authority.CertificateDer, workerSecret).Format();
        return new InitResponse
        {
            ClusterId = clusterId,
            NodeId = nodeId.ToString(),
            WorkerToken = token,
            ManagerAddress = record.ControlAddress,
            JoinCommand = $"overlayd join --token {token} {record.ControlAddress}",
        };
    }

    public async Task<Outcome<JoinResponse>> JoinAsync(JoinRequest request, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (AlreadyMember() is { } refusal)
        {
            return refusal;
        }

        Outcome<AgentAddresses> chosen = AgentAddresses.Choose(
            services.Settings, request.AdvertiseAddress, request.ListenAddress, request.DataPathAddress, request.ManagerAddresses);
        if (chosen.Refusal is { } unclear)
        {
            return unclear;
        }

        AgentAddresses addresses = chosen.Value;
        if (addresses.PortTaken(gossipOnly: true) is { } taken)
        {
            return taken;
        }

        NodeDescription description = addresses.ToDescription();
        description.Routes.AddRange(services.HostRoutes());
        NodeIdentity identity;
        MembershipRecord record;
        try
        {
            Membership.Erase(services.Settings.StateFolder);
            Outcome<NodeIdentity> joined = await BootstrapClient.JoinAsync(
                request.Token, [.. request.ManagerAddresses], description, services.Settings.StateFolder, services.Clock.Time,
                cancellationToken);
            if (joined.Refusal is { } refused)
            {
                return refused;
            }

            identity = joined.Value;
            record = addresses.ToRecord(
                identity.ClusterId, identity.Node.ToString(), manager: false, [.. request.ManagerAddresses]);
            record.Save(services.Settings.StateFolder);
        }
        catch (StorageWriteException e)
        {
            return NotWritten("This node did not join.", e, "overlayd join");
        }

        await EnterAsync(record, identity, cancellationToken);
        if (!await WaitForAssignmentAsync(cancellationToken))
        {
            return new Refusal(
                RefusalKind.Unavailable, "This node joined but has no assignment yet.",
                $"The manager has not opened a session: {membership!.Session.Current.LastError}.",
                "It goes on trying; watch it with `overlayd status`.");
        }

        LogJoined(identity.ClusterId, identity.Node);
        return new JoinResponse { ClusterId = identity.ClusterId, NodeId = identity.Node.ToString(), Role = identity.Role };
    }

    public async Task<Refusal?> LeaveAsync(bool force, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (membership is not { } current)
        {
            return NotInCluster("leave");
        }

        if (!force)
        {
            Refusal? refusal = current.Record.IsManager
                ? new(
                    RefusalKind.Conflict, "This node cannot leave.", "It is the only manager, and the cluster ends with it.",
                    "If that is what you want, type `overlayd leave --force`.")
                : await current.Session.LeaveAsync(cancellationToken);
            if (refusal is not null)
            {
                return refusal;
            }
        }
        else if (!current.Record.IsManager)
        {
            // By force means also when no manager answers; the operator removes the node there with `node rm`.
            await current.Session.LeaveAsync(cancellationToken);
        }

        await current.Loop.CallAsync(
            (node, now, effects) =>
            {
                node.DetachAll(now, effects);
                node.Leave(now, effects);
                return true;
            },
            cancellationToken);
        await Task.Delay(FarewellTime, services.Clock.Time, cancellationToken);
        membership = null;
        await current.DisposeAsync();
        services.Reconciler.WantNothing();
        Membership.Erase(services.Settings.StateFolder);
        LogLeft(current.Record.ClusterId);
        return null;
    }

    public static Refusal NotInCluster(string verb) => new(
        RefusalKind.NotInCluster, $"Cannot {verb}.", "This node is not in a cluster.",
        "Type `overlayd init` to begin one, or `overlayd join --token TOKEN MANAGER:2377` to join one.");

    public async ValueTask DisposeAsync()
    {
        if (membership is { } current)
        {
            membership = null;
            await current.DisposeAsync();
        }

        gate.Dispose();
    }

    private Refusal? AlreadyMember() => membership is { } current
        ? new(
            RefusalKind.Conflict, "This node cannot enter a cluster.", $"It is in cluster {current.Record.ClusterId} already.",
            "Leave that one first with `overlayd leave`.")
        : null;

    private async Task EnterAsync(MembershipRecord record, NodeIdentity identity, CancellationToken cancellationToken)
    {
        Membership entered = await Membership.StartAsync(record, identity, services, cancellationToken);
        membership = entered;
        _ = WatchAsync(entered);
    }

    private async Task WatchAsync(Membership entered)
    {
        try
        {
            await entered.Completion;
        }
        catch (Exception e) when (membership != entered)
        {
            // It ended because it was left or the agent stops.
            LogEnded(e);
        }
        catch (Exception e)
        {
            failed.TrySetException(e);
        }
    }

    private async Task<bool> WaitForAssignmentAsync(CancellationToken cancellationToken)
    {
        Instant until = services.Clock.Now + FirstAssignmentTimeout;
        while (services.Clock.Now < until)
        {
            if (await membership!.ReadAsync(static node => node.Intent.Cluster is not null, cancellationToken))
            {
                return true;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), services.Clock.Time, cancellationToken);
        }

        return false;
    }

    /// <summary>Without a membership record, what was written before the failure counts for nothing.</summary>
    private static Refusal NotWritten(string what, Exception e, string command) => new(
        RefusalKind.Unavailable, what,
        e is StorageWriteException disk ? $"{disk.File} could not be written ({disk.Reason})." : e.Message.TrimEnd('.') + ".",
        $"Make room or repair the disk, then type `{command}` again.");

    private static string NewId() => new NodeId(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1).ToString();

    private async Task<Entry> EnterGateAsync(CancellationToken cancellationToken)
    {
        await gate.WaitAsync(cancellationToken);
        return new(gate);
    }

    private sealed class Entry(SemaphoreSlim gate) : IDisposable
    {
        public void Dispose() => gate.Release();
    }

    [LoggerMessage(EventId = 801, Level = LogLevel.Information, Message = "Cluster {Cluster} begins with this node, {Node}")]
    private partial void LogInitialized(string cluster, NodeId node);

    [LoggerMessage(EventId = 802, Level = LogLevel.Information, Message = "Joined cluster {Cluster} as node {Node}")]
    private partial void LogJoined(string cluster, NodeId node);

    [LoggerMessage(EventId = 803, Level = LogLevel.Information, Message = "Left cluster {Cluster}")]
    private partial void LogLeft(string cluster);

    [LoggerMessage(EventId = 804, Level = LogLevel.Information, Message = "Back in cluster {Cluster} as node {Node}")]
    private partial void LogResumed(string cluster, string node);

    [LoggerMessage(EventId = 805, Level = LogLevel.Debug, Message = "The membership ended")]
    private partial void LogEnded(Exception exception);
}
