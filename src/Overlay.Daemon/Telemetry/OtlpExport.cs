using System.Runtime.CompilerServices;
using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Sends metrics and traces to a collector when OTEL_EXPORTER_OTLP_ENDPOINT is set. Everything else is decided by the
/// other OTEL_* variables as their specification says; the service is called overlayd unless OTEL_SERVICE_NAME says
/// otherwise. Without the variable nothing of it is loaded.
/// </summary>
internal sealed class OtlpExport : IDisposable
{
    public const string EndpointVariable = "OTEL_EXPORTER_OTLP_ENDPOINT";

    private readonly TracerProvider traces;
    private readonly MeterProvider metrics;

    private OtlpExport(TracerProvider traces, MeterProvider metrics)
    {
        this.traces = traces;
        this.metrics = metrics;
    }

    /// <param name="instance">service.instance.id: the node's id or, before it has one, the host's name.</param>
    /// <returns>Null when nothing is to be exported.</returns>
    public static OtlpExport? StartIfAsked(string instance)
    {
        bool isAsked = !string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(EndpointVariable));
        string? disabled = Environment.GetEnvironmentVariable("OTEL_SDK_DISABLED");
        return isAsked && !string.Equals(disabled, "true", StringComparison.OrdinalIgnoreCase) ? Start(instance) : null;
    }

    public void Dispose()
    {
        traces.Dispose();
        metrics.Dispose();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static OtlpExport Start(string instance) => new(
        Sdk.CreateTracerProviderBuilder()
            .ConfigureResource(resource => Describe(resource, instance))
            .AddSource(Instruments.Name)
            .AddOtlpExporter()
            .Build(),
        Sdk.CreateMeterProviderBuilder()
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
}
