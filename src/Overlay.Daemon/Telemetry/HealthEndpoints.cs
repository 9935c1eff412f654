using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// /metrics, /livez, /readyz and its older name /healthz. The status code is the contract: 200 or 503. `?verbose`
/// lists the checks, `?exclude=NAME` leaves one out; a failure always lists them.
/// </summary>
internal static class HealthEndpoints
{
    private const int MaxExcluded = 32;

    public static void MapHealth(this IEndpointRouteBuilder endpoints, HealthChecks checks, PrometheusText metrics)
    {
        endpoints.MapGet("/metrics", context => MetricsAsync(context, metrics));
        endpoints.MapGet("/livez", context => ReportAsync(context, "livez", checks.Live(Excluded(context))));
        endpoints.MapGet("/readyz", context => ReportAsync(context, "readyz", checks.Ready(Excluded(context))));
        endpoints.MapGet("/healthz", context => ReportAsync(context, "healthz", checks.Ready(Excluded(context))));
    }

    private static Task MetricsAsync(HttpContext context, PrometheusText metrics)
    {
        context.Response.ContentType = PrometheusText.ContentType;
        return context.Response.WriteAsync(metrics.Render(), context.RequestAborted);
    }

    private static Task ReportAsync(HttpContext context, string endpoint, HealthReport report)
    {
        context.Response.StatusCode =
            report.IsHealthy ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.Headers.CacheControl = "no-store";
        bool isVerbose = !report.IsHealthy || context.Request.Query.ContainsKey("verbose");
        return context.Response.WriteAsync(isVerbose ? report.Describe(endpoint) : "ok", context.RequestAborted);
    }

    private static List<string> Excluded(HttpContext context) =>
        [.. context.Request.Query["exclude"].OfType<string>().Take(MaxExcluded)];
}
