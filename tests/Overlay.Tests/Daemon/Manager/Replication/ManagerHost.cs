using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
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
        application = await ListenAsync();
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

    /// <summary>At a port that the kernel gives to no connection, so that it is still free after this manager was down.</summary>
    private async Task<WebApplication> ListenAsync()
    {
        for (int tried = 0; ; tried++)
        {
            int port = Port > 0 ? Port : Random.Shared.Next(12_000, 32_000);
            WebApplication listening = PeerApi.Build(Identity, port, Loop.Engine, Loop.Engine.Streams, instruments, logs.Factory);
            try
            {
                await listening.StartAsync(TestContext.Current.CancellationToken);
                Port = port;
                return listening;
            }
            catch (IOException) when (Port == 0 && tried < 20)
            {
                await listening.DisposeAsync();
            }
        }
    }

    private static LogStore Open(string folder, MemberId member, out LogRecovery found) => LogStore.OpenAs(
        new DiskFolder(folder), new LogOptions { Identity = new(PeerHost.ClusterId, member) }, out found);
}
