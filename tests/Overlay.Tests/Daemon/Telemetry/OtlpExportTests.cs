using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

/// <summary>Which variables ask for an export, and which are wrong. What is sent is tested with a real collector.</summary>
public sealed class OtlpExportTests : IDisposable
{
    private readonly CapturedLogs logs = new();

    public void Dispose()
    {
        logs.Factory.Dispose();
        logs.Dispose();
    }

    [Theory]
    [InlineData("")]
    [InlineData("OTEL_SERVICE_NAME=x")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317;OTEL_SDK_DISABLED=True")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317;OTEL_TRACES_EXPORTER=none;OTEL_METRICS_EXPORTER=none")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:4317;OTEL_TRACES_EXPORTER=none")]
    public void Nothing_is_exported_and_nothing_said(string variables)
    {
        Assert.Null(Start(variables));
        Assert.Empty(logs.Lines);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=not an address", "OTEL_EXPORTER_OTLP_ENDPOINT is 'not an address'; an address like")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4317", "OTEL_EXPORTER_OTLP_ENDPOINT is 'localhost:4317'; an address like")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=unix:/x", "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT is 'unix:/x'; an address like")]
    [InlineData(
        "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317;OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
        "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'; this agent speaks grpc and http/protobuf")]
    public void What_is_wrong_is_said_and_nothing_is_exported(string variables, string reason)
    {
        Assert.Null(Start(variables));
        Assert.StartsWith($"No metrics and traces are sent: {reason}", Assert.Single(logs.Warnings), StringComparison.Ordinal);
    }

    private OtlpExport? Start(string variables)
    {
        Dictionary<string, string> set = variables.Split(';', StringSplitOptions.RemoveEmptyEntries)
            .ToDictionary(static v => v[..v.IndexOf('=', StringComparison.Ordinal)], static v => v[(v.IndexOf('=', StringComparison.Ordinal) + 1)..]);
        return OtlpExport.StartIfAsked("host1", logs.Factory.CreateLogger("overlayd"), set.GetValueOrDefault);
    }
}
