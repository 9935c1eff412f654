using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Admin;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Repair;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Secrecy;
using Overlay.V1;

namespace Overlay.Daemon.Manager;

/// <summary>A manager: the store with its log, and the API on TCP 2377 with TLS 1.3 on both sides.</summary>
internal sealed class ManagerServer : IAsyncDisposable
{
    private const int MaxMessage = 16 << 20;
    private const int MaxConnections = 4096;
    private static readonly TimeSpan HandOverTime = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly WebApplication application;
    private readonly PeerLinks links;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task tending;

    private ManagerServer(WebApplication application, ManagerLoop loop, PeerLinks links, LockKeeper locking, MonotonicClock clock)
    {
        Locking = locking;
        this.links = links;
        this.application = application;
        Loop = loop;
        Sessions = application.Services.GetRequiredService<SessionBoard>();
        Keys = application.Services.GetRequiredService<KeyConfirmations>();
        Proxy = application.Services.GetRequiredService<LeaderProxy>();
        tending = Task.WhenAll(
            SweepAsync(loop, clock.Time, stopping.Token), application.Services.GetRequiredService<Desertion>().WatchAsync(stopping.Token),
            Keys.RelayAsync(loop, Proxy, clock.Time, stopping.Token), locking.RunAsync(stopping.Token));
        Completion = Task.WhenAny(loop.Completion, tending).Unwrap();
    }

    public ManagerLoop Loop { get; }

    /// <summary>What its agents' sessions tell of them.</summary>
    public SessionBoard Sessions { get; }

    /// <summary>What its agents say of the keys they have.</summary>
    public KeyConfirmations Keys { get; }

    /// <summary>Whether this manager's disk is locked.</summary>
    public LockKeeper Locking { get; }

    /// <summary>The way to the leader.</summary>
    public LeaderProxy Proxy { get; }

    /// <summary>It decides along.</summary>
    public bool IsVoter => Loop.State.Cluster is not null && Loop.Engine.Configuration.IsVoter(Loop.Engine.Self.Member);

    /// <summary>What had to be done to its log before it began, as a sentence; null: nothing.</summary>
    public string? Mended { get; private init; }

    /// <summary>Where the API listens, with the port that was bound.</summary>
    public IPEndPoint Endpoint => IPEndPoint.Parse(new Uri(application.Urls.Single()).Authority);

    /// <summary>Ends when the store cannot go on.</summary>
    public Task Completion { get; }

    /// <param name="peers">The managers that this one begins among; its log knows better if it has one.</param>
    /// <param name="mending">Null: damage to the log is refused; else the others are asked for what is damaged, however long that takes.</param>
    /// <exception cref="InvalidDataException">The log is another's, or was lost.</exception>
    public static async Task<ManagerServer> StartAsync(
        MembershipRecord record, NodeIdentity identity, AgentHost host, IReadOnlyList<PeerAddress> peers, CancellationToken cancellationToken,
        LogMending? mending = null)
    {
        AgentServices services = host.Services;
        (ManagerLoop loop, string? mended) = await ManagerOpening.OpenAsync(record, identity, peers, services, mending, cancellationToken);
        try
        {
            PeerLinksOptions options = new()
            {
                Identity = identity,
                Receiver = loop.Engine,
                NewPrng = services.NewPrng,
                Time = services.Clock.Time,
                Instruments = services.Instruments,
                Logger = services.Logs.CreateLogger<PeerLinks>(),
            };
            WebApplication application = Build(record, identity, host, loop, options);
            await ManagerListener.StartAsync(application, cancellationToken);
            PeerLinks links = new(options);
            loop.Engine.Connect(links);
            LockKeeper locking = new(loop, identity, services.Lock, services.Clock.Time, services.Logs.CreateLogger<LockKeeper>());
            return new(application, loop, links, locking, services.Clock) { Mended = mended };
        }
        catch
        {
            loop.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What a node is to be. Refused where the managers that are left could not agree on anything; it becomes so later, as
    /// <see cref="MemberKeeper"/> says. On the leader.
    /// </summary>
    /// <param name="node">Id, host name, or the beginning of an id.</param>
    public async Task<Outcome<NodeObject>> SetRoleAsync(string node, NodeRole role, CancellationToken cancellationToken)
    {
        if (role == NodeRole.Worker && Loop.State.FindNode(node).TryGet(out NodeObject? target, out _) && target.MemberId != 0
            && Loop.Engine.Configuration.IsVoter(new(target.MemberId))
            && Loop.Engine.QuorumWithout(new(target.MemberId)) is { IsLost: true, Total: > 0 } after)
        {
            return ManagerEnd.QuorumAtRisk($"Node {target.Hostname} ({target.Id}) was not demoted.", after);
        }

        return await Loop.ProposeAsync(intent => intent.SetRole(node, role), "", cancellationToken);
    }

    /// <summary>Writes the first entry of a new cluster's log, locked if the cluster is.</summary>
    /// <returns>What it is encrypted with.</returns>
    /// <exception cref="IOException">It could not be written, or the disk has too little room to go on.</exception>
    public static LogKeys CreateLog(string stateFolder, Proposal<V1.ClusterObject> bootstrap)
    {
        Erase(stateFolder);
        MemberId member = new(bootstrap.Transaction.Actions
            .Select(static a => a.Create?.Node?.MemberId ?? 0).FirstOrDefault(static id => id != 0));
        using LogStore log = ManagerStorage.Open(
            new DiskFolder(ManagerStorage.FolderOf(stateFolder)), bootstrap.Result.Id, member,
            bootstrap.Result.UnlockKey.ToByteArray(), out _);
        if (log.Shortage() is { } why)
        {
            throw new IOException(why);
        }

        log.WriteState(new(1, MemberId.None));
        log.Append([new(1, 1, Google.Protobuf.MessageExtensions.ToByteArray(bootstrap.Transaction))]);
        return log.Keys!;
    }

    public static bool HasLog(string stateFolder) => Directory.Exists(ManagerStorage.FolderOf(stateFolder));

    public static void Erase(string stateFolder)
    {
        SpareRoom.Erase(stateFolder);
        string folder = ManagerStorage.FolderOf(stateFolder);
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    public async ValueTask DisposeAsync()
    {
        using (CancellationTokenSource enough = new(HandOverTime))
        {
            await Loop.Engine.HandOverAsync(enough.Token);
        }

        await stopping.CancelAsync();
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(2));
        await application.StopAsync(limit.Token);
        await application.DisposeAsync();
        try
        {
            await tending;
        }
        catch (OperationCanceledException)
        {
            // It ends because it was told to.
        }

        Loop.Dispose();
        await links.DisposeAsync();
        stopping.Dispose();
    }

    private static WebApplication Build(
        MembershipRecord record, NodeIdentity identity, AgentHost host, ManagerLoop loop, PeerLinksOptions links)
    {
        AgentServices services = host.Services;
        WebApplicationBuilder builder = ManagerListener.Create(record, identity, services, MaxConnections, MaxMessage);
        builder.Services.AddSingleton(loop);
        builder.Services.AddSingleton<ClusterAuthority>();
        builder.Services.AddSingleton<BootstrapChallenges>();
        builder.Services.AddSingleton(_ => new LeaderProxy(loop, identity, links.Open, services.Clock));
        builder.Services.AddSingleton<NodeRegistry>();
        builder.Services.AddSingleton<INodeAdmission>(static provider => provider.GetRequiredService<NodeRegistry>());
        builder.Services.AddSingleton<BootstrapService>();
        builder.Services.AddSingleton<SessionBoard>();
        builder.Services.AddSingleton<KeyConfirmations>();
        builder.Services.AddSingleton<Desertion>();
        builder.Services.AddSingleton(host);
        builder.Services.AddSingleton(identity);
        builder.Services.AddSingleton<IPeerReceiver>(loop.Engine);
        builder.Services.AddSingleton<IPeerJudge>(loop.Engine);
        builder.Services.AddSingleton<IRepairPeer>(loop.Engine);
        builder.Services.AddSingleton<PeerGate>();
        builder.Services.AddSingleton<RepairAnswers>();
        builder.Services.AddSingleton(loop.Engine.Streams);
        builder.Services.AddSingleton<SnapshotInbox>();
        builder.Services.AddSingleton<RaftService>();
        builder.Services.AddSingleton<AgentService>();
        builder.Services.AddSingleton<ControlService>();
        builder.Services.AddSingleton<AdminService>();
        WebApplication application = builder.Build();
        application.UseRouting();
        application.UseGrpcMetrics(services.Instruments);
        application.UseMiddleware<Trust.Authorization>();
        application.UseMemberGate(loop);
        application.UseLeaderRouting(application.Services.GetRequiredService<LeaderProxy>);
        application.MapGrpcService<BootstrapService>();
        application.MapGrpcService<AgentService>();
        application.MapGrpcService<ControlService>();
        application.MapGrpcService<AdminService>();
        application.MapGrpcService<RaftService>();
        return application;
    }

    /// <summary>Frees addresses whose quarantine has passed.</summary>
    private static async Task SweepAsync(ManagerLoop loop, TimeProvider time, CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(SweepInterval, time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            await loop.SweepAsync(cancellationToken);
        }
    }
}
