using System.Diagnostics;
using System.Globalization;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Primitives;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Counts the gRPC calls that a server answers, and times the unary ones; a stream's length says nothing. The label is
/// the method's name as the contract has it: what a caller makes up is "unknown".
/// </summary>
internal static class GrpcMetrics
{
    private const string StatusHeader = "grpc-status";

    /// <summary>Behind routing, before whatever may answer for a method.</summary>
    public static void UseGrpcMetrics(this IApplicationBuilder application, Instruments instruments) =>
        application.Use(next => context => MeasureAsync(context, next, instruments));

    private static async Task MeasureAsync(HttpContext context, RequestDelegate next, Instruments instruments)
    {
        IMethod? method = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method;
        if (method is null && context.Request.ContentType?.StartsWith("application/grpc", StringComparison.OrdinalIgnoreCase) != true)
        {
            await next(context);
            return;
        }

        long started = Stopwatch.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            KeyValuePair<string, object?> name = new("method", method?.FullName.TrimStart('/') ?? "unknown");
            instruments.GrpcRequests.Add(1, name, new("code", CodeOf(context)));
            if (method?.Type == MethodType.Unary)
            {
                instruments.GrpcDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, name);
            }
        }
    }

    private static string CodeOf(HttpContext context)
    {
        StringValues text = default;
        bool isTold = context.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.TryGetValue(StatusHeader, out text) == true
            || context.Response.Headers.TryGetValue(StatusHeader, out text);
        return isTold && int.TryParse(text.ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out int code)
            ? ((StatusCode)code).ToString()
            : context.RequestAborted.IsCancellationRequested ? nameof(StatusCode.Cancelled) : "None";
    }
}
