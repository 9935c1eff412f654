using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Sends metrics and traces to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is set, or one of the two when the variable
/// of its own is. Everything else is decided by the other OTEL_* variables as their specification says; the service is
/// called overlayd unless OTEL_SERVICE_NAME says otherwise. Without these variables nothing of it is loaded; with wrong
/// ones the agent runs without export and says why.
/// </summary>
internal sealed partial class OtlpExport : IAsyncDisposable
{
    private const string Prefix = "OTEL_EXPORTER_OTLP_";

    /// <summary>How long the end of the agent waits for the last data to leave.</summary>
    private const int FarewellMs = 2000;

    private readonly TracerProvider? traces;
    private readonly MeterProvider? metrics;

    private OtlpExport(TracerProvider? traces, MeterProvider? metrics)
    {
        this.traces = traces;
        this.metrics = metrics;
    }

    /// <param name="instance">service.instance.id: the host's name.</param>
    /// <returns>Null when nothing is to be exported, or cannot be.</returns>
    public static OtlpExport? StartIfAsked(string instance, ILogger logger) =>
        StartIfAsked(instance, logger, Environment.GetEnvironmentVariable);

    /// <summary>Something is to be exported, by the variables of this process.</summary>
    public static bool IsAsked() => IsAsked(Environment.GetEnvironmentVariable);

    internal static OtlpExport? StartIfAsked(string instance, ILogger logger, Func<string, string?> variable)
    {
        if (!IsAsked(variable))
        {
            return null;
        }

        if (Fault(variable) is { } fault)
        {
            LogNoExport(logger, fault);
            return null;
        }

        try
        {
            OtlpExport export = Start(instance, IsAsked("TRACES", variable), IsAsked("METRICS", variable));
            string endpoint = variable($"{Prefix}ENDPOINT") ?? variable($"{Prefix}TRACES_ENDPOINT") ?? variable($"{Prefix}METRICS_ENDPOINT")!;
            LogExport(logger, endpoint);
            return export;
        }
        catch (Exception e)
        {
            // Whatever the library finds wrong with its variables: an agent without a collector is still an agent.
            LogNoExport(logger, e.Message);
            return null;
        }
    }

    /// <summary>Both at once: a collector that does not answer is waited for only once.</summary>
    public async ValueTask DisposeAsync() => await Task.WhenAll(
        OnItsOwnThread(() => traces?.Shutdown(FarewellMs), traces),
        OnItsOwnThread(() => metrics?.Shutdown(FarewellMs), metrics));

    /// <summary>
    /// The exporters block until the collector has answered, and its answer comes by way of the thread pool: with two of
    /// its threads blocked here, it would come only when the pool has noticed and grown.
    /// </summary>
    private static Task OnItsOwnThread(Action end, IDisposable? provider) => Task.Factory.StartNew(
        () =>
        {
            end();
            provider?.Dispose();
        },
        CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static bool IsAsked(Func<string, string?> variable) =>
        (IsAsked("TRACES", variable) || IsAsked("METRICS", variable))
        && !string.Equals(variable("OTEL_SDK_DISABLED"), "true", StringComparison.OrdinalIgnoreCase);

    private static bool IsAsked(string signal, Func<string, string?> variable) =>
        (!string.IsNullOrWhiteSpace(variable($"{Prefix}ENDPOINT")) || !string.IsNullOrWhiteSpace(variable($"{Prefix}{signal}_ENDPOINT")))
        && variable($"OTEL_{signal}_EXPORTER") is null or "" or "otlp";

    private static string? Fault(Func<string, string?> variable)
    {
        foreach (string name in (string[])[$"{Prefix}ENDPOINT", $"{Prefix}TRACES_ENDPOINT", $"{Prefix}METRICS_ENDPOINT"])
        {
            if (variable(name) is { Length: > 0 } text
                && !(Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"))
            {
                return $"{name} is '{text}'; an address like http://127.0.0.1:4317 is needed";
            }
        }

        foreach (string name in (string[])[$"{Prefix}PROTOCOL", $"{Prefix}TRACES_PROTOCOL", $"{Prefix}METRICS_PROTOCOL"])
        {
            if (variable(name) is { Length: > 0 } text and not ("grpc" or "http/protobuf"))
            {
                return $"{name} is '{text}'; this agent speaks grpc and http/protobuf";
            }
        }

        return null;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OtlpExport Start(string instance, bool traces, bool metrics) => new(
        !traces ? null : Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => Describe(resource, instance))
            .AddSource(Instruments.Name)
            .AddOtlpExporter()
            .Build(),
        !metrics ? null : Sdk.CreateMeterProviderBuilder()
            .ConfigureResource(resource => Describe(resource, instance))
            .AddMeter(Instruments.Name, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel")
            .AddOtlpExporter()
            .Build());

    /// <summary>The variables come last, so that they win.</summary>
    private static void Describe(ResourceBuilder resource, string instance) => resource
        .AddService(
            Instruments.Name,
            serviceVersion: Instruments.Version,
            autoGenerateServiceInstanceId: false,
            serviceInstanceId: instance)
        .AddAttributes([new("host.name", Environment.MachineName)])
        .AddEnvironmentVariableDetector();

    [LoggerMessage(EventId = 901, Level = LogLevel.Information, Message = "Metrics and traces go to {Endpoint}")]
    private static partial void LogExport(ILogger logger, string endpoint);

    [LoggerMessage(EventId = 902, Level = LogLevel.Warning, Message = "No metrics and traces are sent: {Reason}")]
    private static partial void LogNoExport(ILogger logger, string reason);
}
