using System.Net;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Tests.Daemon.Manager.Peers;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Manager.Replication;

/// <summary>One of several managers: its store, its log in a folder, its links and its end of the others', with TLS on loopback.</summary>
internal sealed class ManagerHost(
    NodeIdentity identity, ulong member, string folder, int snapshotEvery, IReadOnlyList<PeerAddress> seeds, CapturedLogs logs)
    : IAsyncDisposable
{
    private Instruments instruments = new();
    private WebApplication? application;
    private PeerLinks? links;

    public NodeIdentity Identity => identity;

    public MemberId Member { get; } = new(member);

    public ManagerLoop Loop { get; private set; } = null!;

    public bool IsRunning => application is not null;

    /// <summary>Chosen at the first start and kept.</summary>
    public int Port { get; private set; }

    public PeerAddress Peer => new(Member, Identity.Node, $"127.0.0.1:{Port}");

    public static void CreateLog(string folder, MemberId member, Transaction bootstrap)
    {
        using LogStore log = Open(folder, member, out _);
        log.WriteState(new(1, MemberId.None));
        log.Append([new(1, 1, bootstrap.ToByteArray())]);
    }

    public async Task StartAsync()
    {
        instruments = new();
        LogStore log = Open(folder, Member, out LogRecovery found);
        Loop = new(found, log, new()
        {
            Self = new(PeerHost.ClusterId, Member, 1),
            IsFounder = seeds.Count == 0,
            Seeds = seeds,
            Clock = new(TimeProvider.System),
            Prng = new(Member.Value),
            Instruments = instruments,
            Logger = logs.Factory.CreateLogger<ManagerLoop>(),
            Options = new() { MaxOutstandingWrites = 2, ElectionTimeout = TimeSpan.FromMilliseconds(400), HeartbeatInterval = TimeSpan.FromMilliseconds(40) },
            Patience = TimeSpan.FromSeconds(1),
            SnapshotEvery = snapshotEvery,
        });
        application = Build();
        await application.StartAsync(TestContext.Current.CancellationToken);
        Port = new Uri(application.Urls.Single()).Port;
        links = new(new()
        {
            Identity = Identity,
            Receiver = Loop.Engine,
            NewPrng = () => new(Member.Value),
            Time = TimeProvider.System,
            Instruments = instruments,
            Logger = logs.Factory.CreateLogger<PeerLinks>(),
        });
        Loop.Engine.Connect(links);
    }

    /// <summary>Without a word to anybody: connections break, and what was not durable is not.</summary>
    public async ValueTask DisposeAsync()
    {
        if (application is null)
        {
            return;
        }

        await application.StopAsync(new CancellationToken(canceled: true));
        await application.DisposeAsync();
        application = null;
        Loop.Dispose();
        await links!.DisposeAsync();
        instruments.Dispose();
    }

    private static LogStore Open(string folder, MemberId member, out LogRecovery found) => LogStore.OpenAs(
        new DiskFolder(folder), new LogOptions { Identity = new(PeerHost.ClusterId, member) }, out found);

    private WebApplication Build()
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton(logs.Factory);
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(static options => options.MaxReceiveMessageSize = 16 << 20);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(instruments);
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton<IPeerReceiver>(Loop.Engine);
        builder.Services.AddSingleton(Loop.Engine.Streams);
        builder.Services.AddSingleton<SnapshotInbox>();
        builder.Services.AddSingleton<RaftService>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            ManagerEndpoint.UseMutualTls(
                listen, Identity, TimeProvider.System, kestrel.ApplicationServices.GetRequiredService<RefusalLog>());
        }));
        WebApplication built = builder.Build();
        built.UseRouting();
        built.UseMiddleware<Overlay.Daemon.Trust.Authorization>();
        built.MapGrpcService<RaftService>();
        return built;
    }
}
