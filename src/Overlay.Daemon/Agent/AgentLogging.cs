using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Telemetry.Logging;

namespace Overlay.Daemon.Agent;

/// <summary>The agent's log on standard error, in the form the settings say.</summary>
internal static class AgentLogging
{
    public static ILoggerFactory Create(AgentSettings settings, AgentLoggerProvider provider) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(settings.LogLevel);
        builder.AddFilter("Microsoft", LogLevel.Error);
        builder.AddProvider(provider);
    });
}
