using System.Diagnostics.Metrics;

namespace Overlay.Daemon.Telemetry;

/// <summary>What Prometheus calls a type.</summary>
internal enum MetricKind
{
    Counter,
    Gauge,
    Histogram,
}

/// <summary>An instrument's name as Prometheus wants it: underscores, the unit's name, _total on counters.</summary>
internal static class MetricName
{
    public static MetricKind? KindOf(Instrument instrument)
    {
        Type type = instrument.GetType();
        Type? generic = type.IsGenericType ? type.GetGenericTypeDefinition() : null;
        return generic == typeof(Counter<>) || generic == typeof(ObservableCounter<>) ? MetricKind.Counter
            : generic == typeof(Histogram<>) ? MetricKind.Histogram
            : generic == typeof(ObservableGauge<>) || generic == typeof(Gauge<>)
                || generic == typeof(UpDownCounter<>) || generic == typeof(ObservableUpDownCounter<>) ? MetricKind.Gauge
            : null;
    }

    public static string For(string name, string? unit, MetricKind kind)
    {
        string shown = Sanitize(name);
        string suffix = unit switch
        {
            "s" => "_seconds",
            "ms" => "_milliseconds",
            "By" => "_bytes",
            "1" when kind == MetricKind.Gauge => "_ratio",
            _ => "",
        };
        shown = shown.EndsWith(suffix, StringComparison.Ordinal) ? shown : shown + suffix;
        return kind == MetricKind.Counter && !shown.EndsWith("_total", StringComparison.Ordinal)
            ? shown + "_total"
            : shown;
    }

    /// <summary>Letters, digits and underscores; no digit first.</summary>
    public static string Sanitize(string name)
    {
        string shown = string.Create(name.Length, name, static (span, source) =>
        {
            for (int i = 0; i < span.Length; i++)
            {
                span[i] = char.IsAsciiLetterOrDigit(source[i]) ? source[i] : '_';
            }
        });
        return shown.Length == 0 || char.IsAsciiDigit(shown[0]) ? "_" + shown : shown;
    }
}
