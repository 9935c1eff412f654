using Microsoft.Extensions.Logging;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Agent;

internal static class AgentLogging
{
    public static ILoggerFactory Create(AgentSettings settings) => LoggerFactory.Create(builder =>
    {
        builder.SetMinimumLevel(settings.LogLevel);
        builder.AddFilter("Microsoft", LogLevel.Warning);
        builder.AddSimpleConsole(console => console.SingleLine = true);
    });
}
