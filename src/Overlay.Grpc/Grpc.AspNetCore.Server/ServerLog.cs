using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server;

/// <summary>What the server tells its own operator, and not the client.</summary>
internal static partial class ServerLog
{
    [LoggerMessage(600, LogLevel.Error, "The service threw an unexpected exception in {Method}")]
    public static partial void HandlerFailed(ILogger logger, string method, Exception error);

    [LoggerMessage(601, LogLevel.Debug, "{Method} ended with {StatusCode}: {Detail}")]
    public static partial void CallRefused(ILogger logger, string method, Core.StatusCode statusCode, string detail);
}
