using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Admin;
using Overlay.Daemon.Checks;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Names;
using Overlay.Daemon.Storage;
using Overlay.Daemon.Telemetry;
using Overlay.Daemon.Telemetry.Logging;
using Overlay.Daemon.Trust;
using Overlay.Linux;
using Overlay.Linux.Memory;
using Overlay.Linux.Namespaces;

namespace Overlay.Daemon.Agent;

/// <summary>
/// `overlayd run`: composes the agent, goes on where this host left off, says READY, and waits. Ending it stops the
/// process only: namespaces, tunnels and rules stay, and the next start adopts them.
/// </summary>
internal static partial class AgentProcess
{
    private const int FileSizeExceeded = 25; // SIGXFSZ
    private const int MessageRoom = 64 << 10; // of a message, beside the backup in it
    private const int SocketMode = 0b110_110_000;
    private const int MostNativeHeaps = 8;
    private static readonly TimeSpan ResolverAge = TimeSpan.FromSeconds(2);

    public static async Task<int> RunAsync(AgentSettings settings, CancellationToken stop)
    {
        NativeHeap.Limit(Math.Clamp(Environment.ProcessorCount, 2, MostNativeHeaps));
        if (!OtlpExport.IsAsked())
        {
            // A collector alone may have a certificate of theirs.
            HostRoots.LeaveUnread();
        }

        using AgentLoggerProvider provider = AgentLoggerProvider.ForStandardError(settings.LogFormat, TimeProvider.System);
        using ILoggerFactory logs = AgentLogging.Create(settings, provider);
        provider.Node = settings.HostName;
        ILogger logger = logs.CreateLogger("overlayd");
        // A limit on the size of files makes a write fail like a full disk; it must not kill the agent in the middle.
        using PosixSignalRegistration fileLimit = PosixSignalRegistration.Create(
            (PosixSignal)FileSizeExceeded, static signal => signal.Cancel = true);
        using AgentFolders folders = Prepare(settings);
        MonotonicClock clock = new(TimeProvider.System);
        using Instruments instruments = new();
        using PrometheusText metrics = new();
        await using OtlpExport? otlp = OtlpExport.StartIfAsked(settings.HostName, logger);
        NamespaceDirectory namespaces = new();
        using KernelHost kernel = new(namespaces);
        Dataplane.LoadBalancer balancer = settings.LoadBalancer.On(kernel);
        await using KernelEvents kernelEvents = new(namespaces);
        using Reconciler reconciler = new(
            kernel, settings.ReconcileInterval, clock, instruments, logs.CreateLogger<Reconciler>());
        KernelWatcher watcher = new(kernelEvents, reconciler.Touch);
        reconciler.Watch = watcher.Watch;
        HostResolver resolver = new(HostResolver.DefaultPath, ResolverAge, clock.Time);
        NameServerOptions nameOptions = new()
        {
            Answers = new() { TtlSeconds = (uint)settings.DnsTtl.TotalSeconds, NegativeTtlSeconds = (uint)settings.DnsNegativeTtl.TotalSeconds },
        };
        using Forwarder forwarder = new(
            () => settings.DnsServers.Count > 0 ? [.. settings.DnsServers] : resolver.Servers, nameOptions.Upstream, instruments,
            clock.Time, logs.CreateLogger<Forwarder>());
        using NameServer names = new(
            new NamespaceSocketFactory(namespaces), forwarder, nameOptions, instruments, clock.Time, logs.CreateLogger<NameServer>());
        using BackendProber prober = new(namespaces, clock.Time, instruments, logs.CreateLogger<BackendProber>());
        AgentServices services = new(
            settings, clock, reconciler, names, prober, new(clock.Time, instruments), new ResolvConf(), resolver, namespaces,
            GatewayPool.Choose(settings, namespaces), balancer, instruments, logs);
        await using AgentHost host = new(services, logs.CreateLogger<AgentHost>());
        Follow(host);
        await using WebApplication application = BuildApi(settings, host, metrics, logs);
        await forwarder.StartAsync(stop);
        await names.StartAsync(stop);
        Task watching = Task.WhenAny(
            watcher.RunAsync(stop),
            new AgentTelemetry(host, instruments).RunAsync(stop),
            new MemoryScavenger(clock.Time, logs.CreateLogger<MemoryScavenger>()).RunAsync(stop)).Unwrap();
        await ResumeAsync(host, stop);
        await application.StartAsync(stop);
        File.SetUnixFileMode(settings.SocketPath, (UnixFileMode)SocketMode);
        if (!SocketGroup.Give(settings.SocketPath, settings.SocketGroup))
        {
            LogNoGroup(logger, settings.SocketGroup);
        }

        using SystemdNotify systemd = SystemdNotify.FromEnvironment();
        systemd.Ready(AgentHealth.Sentence(host));
        LogReady(logger, AgentVersion.Text, settings.SocketPath);
        Task notifying = Task.WhenAll(
            systemd.RunWatchdogAsync(() => !host.Failure.IsFaulted, clock.Time, stop),
            systemd.RunStatusAsync(() => AgentHealth.Sentence(host), clock.Time, stop));
        Task first = await Task.WhenAny(
            host.Failure, watching, names.ExecuteTask!, forwarder.ExecuteTask!, Task.Delay(Timeout.Infinite, stop));
        systemd.Stopping();
        using CancellationTokenSource limit = new(TimeSpan.FromSeconds(2));
        await application.StopAsync(limit.Token);
        await names.StopAsync(limit.Token);
        await forwarder.StopAsync(limit.Token);
        if (first is { IsFaulted: true, Exception: { } failure })
        {
            LogFailed(logger, failure);
            return 1;
        }

        await notifying;
        LogStopped(logger);
        return 0;
    }

    /// <summary>Ties what the node learns to what the kernel holds, for the traces of endpoints.</summary>
    private static void Follow(AgentHost host)
    {
        AgentServices services = host.Services;
        EndpointPrograms programs = new(
            services.Instruments, services.Clock, () => (host.Current?.Record.NodeId ?? "", services.Settings.HostName));
        services.Reconciler.Wanted = programs.Wanted;
        services.Reconciler.Settled = programs.Settled;
        services.Events.Happened = programs.Happened;
    }

    /// <summary>A start that the disk does not allow ends with a sentence.</summary>
    private static async Task ResumeAsync(AgentHost host, CancellationToken stop)
    {
        try
        {
            await host.ResumeAsync(stop);
        }
        catch (Exception e) when (e is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            throw CannotStart(e);
        }
    }

    private static AgentFolders Prepare(AgentSettings settings)
    {
        try
        {
            AgentFolders folders = AgentFolders.Take(settings.StateFolder, settings.RuntimeFolder);
            File.Delete(settings.SocketPath);
            return folders;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CannotStart(e);
        }
    }

    /// <summary>Failures of the disk name the file, the reason and what to type.</summary>
    private static FailureException CannotStart(Exception e) =>
        new(new("cannot start", e.Message, e is UnauthorizedAccessException ? "Run it as root" : "", ExitCode.Failure), e);

    private static WebApplication BuildApi(AgentSettings settings, AgentHost host, PrometheusText metrics, ILoggerFactory logs)
    {
        // An empty builder: no configuration files, so nothing watches the file system.
        WebApplicationBuilder builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddSingleton<IHostLifetime, QuietLifetime>();
        builder.Services.AddSingleton(logs);
        builder.Services.AddLogging();
        builder.Services.AddRoutingCore();
        builder.Services.AddGrpc(static options => options.MaxReceiveMessageSize = BackupFile.MostBytes + MessageRoom);
        builder.Services.AddSingleton(host);
        builder.Services.AddSingleton<AdminService>();
        builder.WebHost.UseKestrelCore();
        SharedSocket.Listen(builder.WebHost, settings.SocketPath, host.Services.Clock.Time);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = BackupFile.MostBytes + MessageRoom;
            if (settings.MetricsAddress is { } metrics)
            {
                kestrel.Listen(metrics, static listen => listen.Protocols = HttpProtocols.Http1);
            }
        });
        WebApplication application = builder.Build();
        application.UseGrpcWeb(new() { DefaultEnabled = true });
        application.UseRouting();
        application.UseGrpcMetrics(host.Services.Instruments);
        application.UseLeaderRouting(() => host.Current?.Manager?.Proxy);
        application.MapGrpcService<AdminService>();
        application.MapHealth(AgentHealth.Checks(host), metrics);
        return application;
    }

    [LoggerMessage(EventId = 810, Level = LogLevel.Information, Message = "overlayd {Version} is ready on {Socket}")]
    private static partial void LogReady(ILogger logger, string version, string socket);

    [LoggerMessage(EventId = 813, Level = LogLevel.Information, Message = "There is no group {Group}: only root may use the socket")]
    private static partial void LogNoGroup(ILogger logger, string group);

    [LoggerMessage(EventId = 811, Level = LogLevel.Information, Message = "Stopped; the data plane stays as it is")]
    private static partial void LogStopped(ILogger logger);

    [LoggerMessage(EventId = 812, Level = LogLevel.Critical, Message = "The agent cannot go on")]
    private static partial void LogFailed(ILogger logger, Exception exception);
}
