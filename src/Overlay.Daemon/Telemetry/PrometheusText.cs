using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Shows instruments in Prometheus' text format, version 0.0.4: listens from its construction on, adds up, and renders
/// when asked. Names follow OpenTelemetry's rules for Prometheus.
/// </summary>
internal sealed class PrometheusText : IDisposable
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly Lock gate = new();
    private readonly MeterListener listener;
    private readonly SortedDictionary<string, MetricFamily> families = new(StringComparer.Ordinal);
    private readonly Lock renderGate = new();

    /// <param name="isWanted">Whether a meter is shown; null: overlayd's and the runtime's.</param>
    public PrometheusText(Func<Meter, bool>? isWanted = null)
    {
        isWanted ??= static meter =>
            meter.Name is Instruments.Name or "System.Runtime" or "Microsoft.AspNetCore.Server.Kestrel";
        listener = new()
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (isWanted(instrument.Meter) && FamilyOf(instrument) is { } family)
                {
                    self.EnableMeasurementEvents(instrument, family);
                }
            },
            MeasurementsCompleted = (_, state) => (state as MetricFamily)?.Clear(),
        };
        Listen<byte>(static v => v);
        Listen<short>(static v => v);
        Listen<int>(static v => v);
        Listen<long>(static v => v);
        Listen<float>(static v => v);
        Listen<double>(static v => v);
        Listen<decimal>(static v => (double)v);
        listener.Start();
    }

    public string Render()
    {
        // One at a time: observable gauges are emptied and read anew.
        lock (renderGate)
        {
            List<KeyValuePair<string, MetricFamily>> shown = Snapshot();
            foreach ((_, MetricFamily family) in shown)
            {
                family.BeginObservation();
            }

            string? error = null;
            try
            {
                listener.RecordObservableInstruments();
            }
            catch (AggregateException e)
            {
                // One gauge that fails must not hide the others.
                error = e.InnerExceptions[0].Message;
            }

            StringBuilder text = new(16_384);
            foreach ((string name, MetricFamily family) in Snapshot())
            {
                family.Render(name, text);
            }

            if (error is not null)
            {
                text.Append(CultureInfo.InvariantCulture, $"# A gauge failed: {error.ReplaceLineEndings(" ")}\n");
            }

            return text.ToString();
        }
    }

    public void Dispose() => listener.Dispose();

    private void Listen<T>(Func<T, double> convert)
        where T : struct =>
        listener.SetMeasurementEventCallback<T>((_, value, tags, state) =>
            ((MetricFamily)state!).Record(convert(value), tags));

    private List<KeyValuePair<string, MetricFamily>> Snapshot()
    {
        lock (gate)
        {
            return [.. families];
        }
    }

    private MetricFamily? FamilyOf(Instrument instrument)
    {
        MetricKind? kind = MetricName.KindOf(instrument);
        if (kind is not { } known)
        {
            return null;
        }

        string name = MetricName.For(instrument.Name, instrument.Unit, known);
        lock (gate)
        {
            if (!families.TryGetValue(name, out MetricFamily? family))
            {
                family = new(known, instrument);
                families.Add(name, family);
            }

            // Two instruments of one name but different kinds can not share it: the first stays.
            return family.Kind == known ? family : null;
        }
    }
}
