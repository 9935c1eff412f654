using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Telemetry.Logging;

namespace Overlay.Daemon.Agent;

/// <summary>The agent's log on standard error, in the form the settings say.</summary>
internal static class AgentLogging
{
    public static ILoggerFactory Create(AgentSettings settings, AgentLoggerProvider provider) => LoggerFactory.Create(builder =>
    {
        SetLevels(builder, settings.LogLevel);
        builder.AddProvider(provider);
    });

    /// <summary>
    /// The web server's own news are left out below warnings: it would tell of every refused handshake a second time.
    /// </summary>
    public static void SetLevels(ILoggingBuilder builder, LogLevel least)
    {
        builder.SetMinimumLevel(least);
        builder.AddFilter("Microsoft", LogLevel.Warning);
    }
}
