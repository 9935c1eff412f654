using System.Diagnostics.Metrics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// One metric with its series. Recording into a known series takes a lock and allocates nothing. Series are bounded:
/// what would be one too many is added up in a series labelled otel_metric_overflow.
/// </summary>
internal sealed class MetricFamily
{
    public const int MaxSeries = 2_000;

    private static readonly double[] DefaultBounds =
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    private readonly Lock gate = new();
    private readonly double[] bounds;
    private readonly bool isObservable;
    private readonly bool isAbsolute;
    private readonly string? help;
    private readonly Dictionary<int, List<Series>> byHash = [];
    private readonly SortedDictionary<string, Series> byLabels = new(StringComparer.Ordinal);

    public MetricFamily(MetricKind kind, Instrument instrument)
    {
        Kind = kind;
        help = instrument.Description;
        isObservable = instrument.IsObservable;
        isAbsolute = isObservable || instrument.GetType().GetGenericTypeDefinition() == typeof(Gauge<>);
        bounds = kind == MetricKind.Histogram ? BoundsOf(instrument) : [];
    }

    public MetricKind Kind { get; }

    public void Record(double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        lock (gate)
        {
            FindNeedsLock(tags).Add(value, bounds, isAbsolute);
        }
    }

    /// <summary>Forgets the values of observed instruments, so that what is no longer reported disappears.</summary>
    public void BeginObservation()
    {
        if (isObservable)
        {
            Clear();
        }
    }

    public void Clear()
    {
        lock (gate)
        {
            byHash.Clear();
            byLabels.Clear();
        }
    }

    public void Render(string name, StringBuilder text)
    {
        lock (gate)
        {
            if (byLabels.Count == 0)
            {
                return;
            }

            if (!string.IsNullOrEmpty(help))
            {
                text.Append("# HELP ").Append(name).Append(' ').Append(Escape(help)).Append('\n');
            }

            text.Append("# TYPE ").Append(name).Append(' ').Append(Kind switch
            {
                MetricKind.Counter => "counter",
                MetricKind.Gauge => "gauge",
                _ => "histogram",
            }).Append('\n');
            foreach ((string labels, Series series) in byLabels)
            {
                if (Kind == MetricKind.Histogram)
                {
                    RenderHistogram(name, labels, series, text);
                }
                else
                {
                    Line(text, name, "", labels, series.Sum);
                }
            }
        }
    }

    private static double[] BoundsOf(Instrument instrument) => instrument switch
    {
        Histogram<double> { Advice.HistogramBucketBoundaries: { Count: > 0 } advised } => [.. advised],
        Histogram<long> { Advice.HistogramBucketBoundaries: { Count: > 0 } advised } =>
            [.. advised.Select(static b => (double)b)],
        Histogram<int> { Advice.HistogramBucketBoundaries: { Count: > 0 } advised } =>
            [.. advised.Select(static b => (double)b)],
        _ => DefaultBounds,
    };

    private static void Line(StringBuilder text, string name, string suffix, string labels, double value)
    {
        text.Append(name).Append(suffix);
        if (labels.Length > 0)
        {
            text.Append('{').Append(labels).Append('}');
        }

        text.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString("R", CultureInfo.InvariantCulture);

    private static string Escape(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static int HashOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        HashCode hash = default;
        foreach ((string key, object? value) in tags)
        {
            hash.Add(key);
            hash.Add(value);
        }

        return hash.ToHashCode();
    }

    /// <summary>The labels as they are printed, in the order of their names.</summary>
    private static string LabelsOf(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        SortedDictionary<string, string> labels = new(StringComparer.Ordinal);
        foreach ((string key, object? value) in tags)
        {
            string text = value switch
            {
                bool b => b ? "true" : "false",
                IFormattable f => f.ToString(null, CultureInfo.InvariantCulture),
                _ => value?.ToString() ?? "",
            };
            labels[MetricName.Sanitize(key)] = Escape(text).Replace("\"", "\\\"", StringComparison.Ordinal);
        }

        return string.Join(',', labels.Select(static l => $"{l.Key}=\"{l.Value}\""));
    }

    private void RenderHistogram(string name, string labels, Series series, StringBuilder text)
    {
        string separator = labels.Length > 0 ? "," : "";
        long cumulative = 0;
        for (int i = 0; i < bounds.Length; i++)
        {
            cumulative += series.Buckets[i];
            Line(text, name, "_bucket", $"{labels}{separator}le=\"{Number(bounds[i])}\"", cumulative);
        }

        Line(text, name, "_bucket", $"{labels}{separator}le=\"+Inf\"", series.Count);
        Line(text, name, "_sum", labels, series.Sum);
        Line(text, name, "_count", labels, series.Count);
    }

    private Series FindNeedsLock(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        ref List<Series>? candidates =
            ref CollectionsMarshal.GetValueRefOrAddDefault(byHash, HashOf(tags), out _);
        foreach (Series candidate in candidates ??= [])
        {
            if (candidate.Has(tags))
            {
                return candidate.Target;
            }
        }

        string labels = LabelsOf(tags);
        bool isFull = byLabels.Count >= MaxSeries;
        if (isFull && !byLabels.ContainsKey(labels))
        {
            labels = "otel_metric_overflow=\"true\"";
        }

        if (!byLabels.TryGetValue(labels, out Series? series))
        {
            series = new(bounds.Length);
            byLabels.Add(labels, series);
        }

        // The same labels may come in several orders, each remembered; but not each of an endless number.
        if (!isFull)
        {
            candidates.Add(new(tags, series));
        }
        else if (candidates.Count == 0)
        {
            byHash.Remove(HashOf(tags));
        }

        return series;
    }

    /// <summary>The values of one set of labels, or the way there from one order of the labels.</summary>
    private sealed class Series
    {
        private readonly KeyValuePair<string, object?>[] tags;
        private readonly Series? target;

        public Series(int buckets)
        {
            tags = [];
            Buckets = new long[buckets];
        }

        public Series(ReadOnlySpan<KeyValuePair<string, object?>> tags, Series target)
        {
            this.tags = [.. tags];
            this.target = target;
            Buckets = [];
        }

        public Series Target => target ?? this;

        public long[] Buckets { get; }

        public double Sum { get; private set; }

        public long Count { get; private set; }

        public bool Has(ReadOnlySpan<KeyValuePair<string, object?>> others)
        {
            if (others.Length != tags.Length)
            {
                return false;
            }

            for (int i = 0; i < tags.Length; i++)
            {
                if (tags[i].Key != others[i].Key || !Equals(tags[i].Value, others[i].Value))
                {
                    return false;
                }
            }

            return true;
        }

        public void Add(double value, double[] bounds, bool isAbsolute)
        {
            Sum = isAbsolute ? value : Sum + value;
            Count++;
            if (bounds.Length > 0)
            {
                int bucket = Array.BinarySearch(bounds, value);
                bucket = bucket < 0 ? ~bucket : bucket;
                if (bucket < bounds.Length)
                {
                    Buckets[bucket]++;
                }
            }
        }
    }
}
