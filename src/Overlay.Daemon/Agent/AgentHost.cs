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
using Overlay.Raft.Secrecy;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The agent's life: in no cluster, or in one. Entering and leaving are serial; each either completes or leaves
/// things as they were.
/// </summary>
internal sealed partial class AgentHost(AgentServices services, ILogger<AgentHost> logger) : IAsyncDisposable
{
    private const int MaxNamed = 5;

    private static readonly TimeSpan FirstAssignmentTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan SessionPace = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan JoinTime = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan LeaveTime = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan ForcedTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FarewellTime = TimeSpan.FromMilliseconds(500);

    /// <summary>For the others to say that they know whom to send no more clients to. They are asked after 0.3 s, and again.</summary>
    private static readonly TimeSpan WithdrawalTime = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WithdrawalPace = TimeSpan.FromMilliseconds(50);

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

        record = Moved(record.WithAddresses(services.Settings.ManagerPort));
        if (LoadIdentity(record) is not { } identity)
        {
            locked = record;
            LogIsLocked(record.ClusterId);
            return;
        }

        await EnterAsync(record, identity, cancellationToken);
        services.Reconciler.Start();
        LogResumed(record.ClusterId, record.NodeId);
    }

    public async Task<Outcome<InitResponse>> InitAsync(InitRequest request, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (request.ForceNewCluster)
        {
            return await ForceNewAsync(request, cancellationToken);
        }

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
            UnlockKey = request.Autolock ? ByteString.CopyFrom(RandomNumberGenerator.GetBytes(UnlockKey.SecretBytes)) : ByteString.Empty,
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

        MembershipRecord record = addresses.ToRecord(clusterId, nodeId.ToString(), []);
        NodeIdentity identity;
        try
        {
            Membership.Erase(services.Settings.StateFolder);
            identity = NodeIdentity.Create(
                services.Settings.StateFolder, authority, nodeId, NodeRole.Manager, clusterId,
                TimeSpan.FromSeconds(bootstrap.Value.Result.CertificateLifeSeconds), services.Clock.Time.GetUtcNow());
            LogKeys keys = ManagerServer.CreateLog(services.Settings.StateFolder, bootstrap.Value);
            services.Lock.Key = spec.UnlockKey.ToByteArray();
            if (request.Autolock)
            {
                identity.Protect(keys);
            }

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
            Epoch = 1,
            UnlockKey = request.Autolock ? UnlockKey.Of(spec.UnlockKey.Span).Format() : "",
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
            record = addresses.ToRecord(identity.ClusterId, identity.Node.ToString(), [.. request.ManagerAddresses]);
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
        if (identity.Role == NodeRole.Manager && await membership!.Managership.JoinFaultAsync(JoinTime, cancellationToken) is { } late)
        {
            return late;
        }

        return new JoinResponse { ClusterId = identity.ClusterId, NodeId = identity.Node.ToString(), Role = identity.Role };
    }

    public async Task<Refusal?> LeaveAsync(bool force, CancellationToken cancellationToken)
    {
        using Entry entry = await EnterGateAsync(cancellationToken);
        if (membership is not { } current)
        {
            return locked is null || !force ? Absence("leave") : GiveUpLocked();
        }

        bool leaves = false;
        try
        {
            // By force means also when no manager answers; the operator removes the node there with `node rm`.
            Refusal? refusal = await DepartAsync(current, force ? ForcedTime : LeaveTime, cancellationToken);
            leaves = refusal is null || force;
            if (!leaves)
            {
                return refusal;
            }
        }
        finally
        {
            if (!leaves)
            {
                await current.Loop.PostAsync(new StayInput(), CancellationToken.None);
            }
        }

        await current.Loop.CallAsync(
            static (node, now, effects) =>
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
        services.Lock.Key = [];
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

    private Refusal? AlreadyMember() => locked is not null ? Absence("enter another cluster") : membership is { } current
        ? new(
            RefusalKind.Conflict, "This node cannot enter a cluster.", $"It is in cluster {current.Record.ClusterId} already.",
            "Leave that one first with `overlayd leave`.")
        : null;

    /// <summary>A manager becomes a worker first, so that the others do not wait for its word any more.</summary>
    private async Task<Refusal?> DepartAsync(Membership current, TimeSpan limit, CancellationToken cancellationToken)
    {
        if (current.Identity.Role == NodeRole.Manager)
        {
            if (current.Managership.IsOnly)
            {
                return new(
                    RefusalKind.Conflict, "This node cannot leave.", "It is the only manager, and the cluster ends with it.",
                    "If that is what you want, type `overlayd leave --force`.");
            }

            if (await current.Managership.ResignAsync(limit, cancellationToken) is { } refusal)
            {
                return refusal;
            }
        }

        if (await current.Loop.CallAsync(static (node, now, effects) => node.Withdraw(now, effects), cancellationToken))
        {
            await AwaitAwarenessAsync(current, cancellationToken);
        }

        // A former manager's session begins anew with its new certificate.
        Instant until = services.Clock.Now + limit;
        Refusal? refused = await current.Session.LeaveAsync(cancellationToken);
        while (refused is { Kind: RefusalKind.Unavailable } && current.Session.Current.Client is null && services.Clock.Now < until)
        {
            await Task.Delay(SessionPace, services.Clock.Time, cancellationToken);
            refused = await current.Session.LeaveAsync(cancellationToken);
        }

        return refused;
    }

    /// <summary>Until every node knows that the backends here take no more clients, within limits, and a moment for their kernels.</summary>
    private async Task AwaitAwarenessAsync(Membership current, CancellationToken cancellationToken)
    {
        Instant until = services.Clock.Now + WithdrawalTime;
        IReadOnlyList<string> unaware;
        do
        {
            await Task.Delay(WithdrawalPace, services.Clock.Time, cancellationToken);
            unaware = await current.Loop.CallAsync(static (node, now, _) => node.Unaware(now), cancellationToken);
        }
        while (unaware.Count > 0 && services.Clock.Now < until);
        if (unaware.Count > 0)
        {
            LogUnaware(string.Join(", ", unaware.Take(MaxNamed)), unaware.Count);
        }

        await Task.Delay(Node.Node.ProgrammingTime, services.Clock.Time, cancellationToken);
    }

    private async Task EnterAsync(MembershipRecord record, NodeIdentity identity, CancellationToken cancellationToken)
    {
        Membership entered = await Membership.StartAsync(
            record.WithAddresses(services.Settings.ManagerPort), identity, this, cancellationToken);
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

    [LoggerMessage(EventId = 814, Level = LogLevel.Warning, Message =
        "Nodes did not say that they send no more clients here: {Hosts} ({Count} in all). This node leaves all the same")]
    private partial void LogUnaware(string hosts, int count);

    [LoggerMessage(EventId = 805, Level = LogLevel.Debug, Message = "The membership ended")]
    private partial void LogEnded(Exception exception);
}
