using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Trust;

namespace Overlay.Daemon.Manager;

/// <summary>Where a manager listens: HTTP/2 over TLS 1.3 on both sides. What it serves is said by who makes it.</summary>
internal static class ManagerListener
{
    private static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan PingTimeout = TimeSpan.FromSeconds(5);

    /// <param name="maxMessage">Bytes of one message, either way.</param>
    public static WebApplicationBuilder Create(
        MembershipRecord record, NodeIdentity identity, AgentServices services, int maxConnections, int maxMessage)
    {
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton<IHostLifetime, QuietLifetime>();
        builder.Services.AddSingleton<RefusalLog>();
        builder.Services.AddSingleton(services.Instruments);
        builder.Services.AddSingleton(services.Logs);
        builder.Services.AddSingleton(services.Clock.Time);
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = maxMessage;
            options.MaxSendMessageSize = maxMessage;
        });
        // What comes in is read where it is received: nothing here blocks, and a write waits for several such steps in a row.
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UseSockets(static sockets =>
        {
            sockets.UnsafePreferInlineScheduling = true;
            sockets.CreateBoundListenSocket = Bind;
        });
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = maxConnections;
            kestrel.Limits.Http2.KeepAlivePingDelay = PingDelay;
            kestrel.Limits.Http2.KeepAlivePingTimeout = PingTimeout;
            kestrel.Listen(IPEndPoint.Parse(record.ListenAddress), listen =>
            {
                listen.Protocols = HttpProtocols.Http2;
                ManagerEndpoint.UseMutualTls(
                    listen, identity, services.Clock.Time, kestrel.ApplicationServices.GetRequiredService<RefusalLog>());
            });
        });
        return builder;
    }

    private static Socket Bind(EndPoint where)
    {
        Socket listener = SocketTransportOptions.CreateDefaultBoundListenSocket(where);
        TcpUserTimeout.Set(listener);
        return listener;
    }

    /// <exception cref="IOException">The address cannot be had.</exception>
    public static async Task StartAsync(WebApplication application, CancellationToken cancellationToken)
    {
        try
        {
            await application.StartAsync(cancellationToken);
        }
        catch
        {
            await application.DisposeAsync();
            throw;
        }
    }
}
