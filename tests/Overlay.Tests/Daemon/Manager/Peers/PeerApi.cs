using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Trust;
using Overlay.Raft;
using Overlay.Raft.Repair;

namespace Overlay.Tests.Daemon.Manager.Peers;

/// <summary>What a manager serves to other managers, alone, with TLS on loopback.</summary>
internal static class PeerApi
{
    /// <param name="port">0: any.</param>
    public static WebApplication Build(
        NodeIdentity identity, int port, IPeerReceiver receiver, IncomingStreams streams, Instruments instruments, ILoggerFactory logs,
        IRepairPeer? repairs = null)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton(logs);
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(static options => options.MaxReceiveMessageSize = 16 << 20);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(instruments);
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton(receiver);
        builder.Services.AddSingleton<IPeerJudge>(receiver);
        builder.Services.AddSingleton<IRepairPeer>(repairs ?? new NoRepairs());
        builder.Services.AddSingleton<PeerGate>();
        builder.Services.AddSingleton<RepairAnswers>();
        builder.Services.AddSingleton(streams);
        builder.Services.AddSingleton<SnapshotInbox>();
        builder.Services.AddSingleton<RaftService>();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            ManagerEndpoint.UseMutualTls(
                listen, identity, TimeProvider.System, kestrel.ApplicationServices.GetRequiredService<RefusalLog>());
        }));
        WebApplication built = builder.Build();
        built.UseRouting();
        built.UseMiddleware<Overlay.Daemon.Trust.Authorization>();
        built.MapGrpcService<RaftService>();
        return built;
    }

    private sealed class NoRepairs : IRepairPeer
    {
        public Task<RepairReply> AnswerAsync(RepairRequest request, CancellationToken cancellationToken) =>
            Task.FromException<RepairReply>(new NotSupportedException("nobody has a log here"));

        public Task<LogSnapshot?> CaptureAsync(CancellationToken cancellationToken) => Task.FromResult<LogSnapshot?>(null);
    }
}
