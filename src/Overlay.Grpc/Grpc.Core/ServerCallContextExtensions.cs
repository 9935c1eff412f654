using Microsoft.AspNetCore.Http;

namespace Grpc.Core;

/// <summary>From a served call to the HTTP request that carries it.</summary>
public static class ServerCallContextExtensions
{
    internal static readonly object HttpContextKey = new();

    public static HttpContext GetHttpContext(this ServerCallContext serverCallContext)
    {
        ArgumentNullException.ThrowIfNull(serverCallContext);
        return serverCallContext.UserState.TryGetValue(HttpContextKey, out object? context)
            ? (HttpContext)context
            : throw new InvalidOperationException("This call does not come from an HTTP request.");
    }
}
