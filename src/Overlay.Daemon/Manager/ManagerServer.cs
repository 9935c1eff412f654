using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Raft;

namespace Overlay.Daemon.Manager;

/// <summary>A manager: the store with its log, and the API on TCP 2377 with TLS 1.3 on both sides.</summary>
internal sealed class ManagerServer : IAsyncDisposable
{
    private const string LogFolder = "log";
    private const int MaxMessage = 16 << 20;
    private static readonly TimeSpan HandOverTime = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan SweepInterval = TimeSpan.FromMinutes(1);

    private readonly WebApplication application;
    private readonly PeerLinks links;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task sweeping;

    private ManagerServer(
        WebApplication application, ManagerLoop loop, PeerLinks links, SessionBoard sessions, KeyConfirmations keys, TimeProvider time)
    {
        this.links = links;
        Sessions = sessions;
        Keys = keys;
        this.application = application;
        Loop = loop;
        sweeping = SweepAsync(loop, time, stopping.Token);
        Completion = Task.WhenAny(loop.Completion, sweeping).Unwrap();
    }

    public ManagerLoop Loop { get; }

    /// <summary>What its agents' sessions tell of them.</summary>
    public SessionBoard Sessions { get; }

    /// <summary>What its agents say of the keys they have.</summary>
    public KeyConfirmations Keys { get; }

    /// <summary>Where the API listens, with the port that was bound.</summary>
    public IPEndPoint Endpoint => IPEndPoint.Parse(new Uri(application.Urls.Single()).Authority);

    /// <summary>Ends when the store cannot go on.</summary>
    public Task Completion { get; }

    public static async Task<ManagerServer> StartAsync(
        MembershipRecord record, NodeIdentity identity, AgentServices services, CancellationToken cancellationToken)
    {
        ManagerLoop loop = OpenLoop(record, services);
        try
        {
            ClusterState state = loop.State;
            if (state.Cluster is null)
            {
                throw new InvalidDataException(
                    $"{Path.Combine(services.Settings.StateFolder, LogFolder)} holds no cluster. Restore it from a backup, "
                    + "or begin anew with `overlayd leave --force` and `overlayd init`.");
            }

            SessionBoard sessions = new();
            KeyConfirmations keys = new();
            WebApplication application = Build(record, identity, services, loop, sessions, keys);
            await application.StartAsync(cancellationToken);
            PeerLinks links = new(new()
            {
                Identity = identity,
                Receiver = loop.Engine,
                NewPrng = services.NewPrng,
                Time = services.Clock.Time,
                Instruments = services.Instruments,
                Logger = services.Logs.CreateLogger<PeerLinks>(),
            });
            loop.Engine.Connect(links);
            return new(application, loop, links, sessions, keys, services.Clock.Time);
        }
        catch
        {
            loop.Dispose();
            throw;
        }
    }

    /// <summary>Writes the first entry of a new cluster's log.</summary>
    /// <exception cref="IOException">It could not be written, or the disk has too little room to go on.</exception>
    public static void CreateLog(string stateFolder, Proposal<V1.ClusterObject> bootstrap)
    {
        Erase(stateFolder);
        MemberId member = new(bootstrap.Transaction.Actions
            .Select(static a => a.Create?.Node?.MemberId ?? 0).FirstOrDefault(static id => id != 0));
        DiskFolder folder = new(Path.Combine(stateFolder, LogFolder));
        using LogStore log = LogStore.OpenAs(
            folder, new LogOptions { Identity = ManagerIdentity.Of(folder, bootstrap.Result.Id, member) }, out _);
        if (log.Shortage() is { } why)
        {
            throw new IOException(why);
        }

        log.WriteState(new(1, MemberId.None));
        log.Append([new(1, 1, Google.Protobuf.MessageExtensions.ToByteArray(bootstrap.Transaction))]);
    }

    public static void Erase(string stateFolder)
    {
        string folder = Path.Combine(stateFolder, LogFolder);
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
            await sweeping;
        }
        catch (OperationCanceledException)
        {
            // It ends because it was told to.
        }

        Loop.Dispose();
        await links.DisposeAsync();
        stopping.Dispose();
    }

    private static ManagerLoop OpenLoop(MembershipRecord record, AgentServices services)
    {
        DiskFolder folder = new(Path.Combine(services.Settings.StateFolder, LogFolder));
        LogIdentity self = ManagerIdentity.Of(folder, record.ClusterId);
        LogStore log = LogStore.OpenAs(folder, new LogOptions { Identity = self }, out LogRecovery found);
        try
        {
            return new(found, log, new()
            {
                Self = new(record.ClusterId, self.Member, Epoch: 1),
                IsFounder = record.Managers.Count == 0,
                Clock = services.Clock,
                Prng = services.NewPrng(),
                Instruments = services.Instruments,
                Logger = services.Logs.CreateLogger<ManagerLoop>(),
            });
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    private static WebApplication Build(
        MembershipRecord record, NodeIdentity identity, AgentServices services, ManagerLoop loop, SessionBoard sessions,
        KeyConfirmations keys)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton(services.Instruments);
        builder.Services.AddSingleton(services.Logs);
        builder.Services.AddLogging();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 4096;
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(15);
            kestrel.Limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(5);
            kestrel.Listen(IPEndPoint.Parse(record.ListenAddress), listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                ManagerEndpoint.UseMutualTls(
                    listen, identity, services.Clock.Time, kestrel.ApplicationServices.GetRequiredService<RefusalLog>());
            });
        });
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = MaxMessage;
            options.MaxSendMessageSize = MaxMessage;
        });
        builder.Services.AddSingleton(loop);
        builder.Services.AddSingleton<ClusterAuthority>();
        builder.Services.AddSingleton(services.Clock.Time);
        builder.Services.AddSingleton<BootstrapChallenges>();
        builder.Services.AddSingleton<INodeAdmission, NodeAdmission>();
        builder.Services.AddSingleton<BootstrapService>();
        builder.Services.AddSingleton(sessions);
        builder.Services.AddSingleton(keys);
        builder.Services.AddSingleton<IPeerReceiver>(loop.Engine);
        builder.Services.AddSingleton(loop.Engine.Streams);
        builder.Services.AddSingleton<SnapshotInbox>();
        builder.Services.AddSingleton<RaftService>();
        builder.Services.AddSingleton<AgentService>();
        builder.Services.AddSingleton<ControlService>();
        WebApplication application = builder.Build();
        application.UseRouting();
        application.UseGrpcMetrics(services.Instruments);
        application.UseMiddleware<Trust.Authorization>();
        application.MapGrpcService<BootstrapService>();
        application.MapGrpcService<AgentService>();
        application.MapGrpcService<ControlService>();
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
