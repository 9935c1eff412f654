using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Trust;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>
/// The manager's API while its log is damaged: it answers only managers in the same case. Everybody else hears that it is not
/// available, and asks another.
/// </summary>
internal static class RepairServer
{
    private const int MaxMessage = 4 << 20;
    private const int MaxConnections = 1024;

    /// <exception cref="IOException">The address cannot be had.</exception>
    public static async Task<WebApplication> StartAsync(
        MembershipRecord record, NodeIdentity identity, LogRepairer repairer, AgentServices services, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = ManagerListener.Create(record, identity, services, MaxConnections, MaxMessage);
        builder.Services.AddSingleton<IPeerJudge>(repairer);
        builder.Services.AddSingleton<IRepairPeer>(repairer);
        builder.Services.AddSingleton<PeerGate>();
        builder.Services.AddSingleton<RepairAnswers>();
        builder.Services.AddSingleton<RepairService>();
        WebApplication application = builder.Build();
        application.UseRouting();
        application.Use(static (context, next) =>
        {
            if (context.Request.Path.Value is "/overlay.v1.Raft/Repair" or "/overlay.v1.Raft/FetchSnapshot")
            {
                return next(context);
            }

            TrailersOnly.Write(context.Response, new(new(StatusCode.Unavailable, "This manager's log is damaged, and it is not whole again yet.")));
            return Task.CompletedTask;
        });
        application.UseMiddleware<Trust.Authorization>();
        application.MapGrpcService<RepairService>();
        await ManagerListener.StartAsync(application, cancellationToken);
        return application;
    }
}
