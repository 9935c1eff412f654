using System.Diagnostics.Metrics;
using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

public sealed class PrometheusTextTests : IDisposable
{
    private readonly Meter meter = new("overlayd-test");
    private readonly PrometheusText text;

    public PrometheusTextTests() => text = new(m => ReferenceEquals(m, meter));

    [Fact]
    public void Counters_gauges_and_histograms()
    {
        Counter<long> requests = meter.CreateCounter<long>("overlayd.dns.requests", null, "Queries.");
        requests.Add(2, new("proto", "udp"), new("type", "A"));
        requests.Add(1, new("type", "A"), new("proto", "udp"));
        requests.Add(5, new KeyValuePair<string, object?>("proto", "tcp"));
        meter.CreateCounter<long>("overlayd.gossip.bytes", "By").Add(7);
        meter.CreateUpDownCounter<int>("overlayd.open").Add(-3);
        meter.CreateObservableGauge("overlayd.load", static () => 0.25, "1", "Part of the limit.");
        Histogram<double> rtt = meter.CreateHistogram(
            "overlayd.probe.rtt",
            "s",
            "Round trips.",
            null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.01, 0.1, 1] });
        foreach (double value in (double[])[0.005, 0.01, 0.5, 7])
        {
            rtt.Record(value, new KeyValuePair<string, object?>("kind", "direct"));
        }

        Assert.Equal(
            """
            # HELP overlayd_dns_requests_total Queries.
            # TYPE overlayd_dns_requests_total counter
            overlayd_dns_requests_total{proto="tcp"} 5
            overlayd_dns_requests_total{proto="udp",type="A"} 3
            # TYPE overlayd_gossip_bytes_total counter
            overlayd_gossip_bytes_total 7
            # HELP overlayd_load_ratio Part of the limit.
            # TYPE overlayd_load_ratio gauge
            overlayd_load_ratio 0.25
            # TYPE overlayd_open gauge
            overlayd_open -3
            # HELP overlayd_probe_rtt_seconds Round trips.
            # TYPE overlayd_probe_rtt_seconds histogram
            overlayd_probe_rtt_seconds_bucket{kind="direct",le="0.01"} 2
            overlayd_probe_rtt_seconds_bucket{kind="direct",le="0.1"} 2
            overlayd_probe_rtt_seconds_bucket{kind="direct",le="1"} 3
            overlayd_probe_rtt_seconds_bucket{kind="direct",le="+Inf"} 4
            overlayd_probe_rtt_seconds_sum{kind="direct"} 7.515
            overlayd_probe_rtt_seconds_count{kind="direct"} 4

            """,
            text.Render());
    }

    [Fact]
    public void Everything_is_escaped()
    {
        meter.CreateCounter<long>("odd-name.x", null, "a\\b\nc").Add(
            1, new("la-bel", "quote \" back \\ line\nend"), new("none", null), new("flag", true), new("1st", 2.5));
        Assert.Equal(
            """
            # HELP odd_name_x_total a\\b\nc
            # TYPE odd_name_x_total counter
            odd_name_x_total{_1st="2.5",flag="true",la_bel="quote \" back \\ line\nend",none=""} 1

            """,
            text.Render());
    }

    [Fact]
    public void Special_numbers()
    {
        double[] values = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 1e300, 0];
        meter.CreateObservableGauge("v", () => values.Select(static (v, i) =>
            new Measurement<double>(v, new KeyValuePair<string, object?>("i", i))));
        Assert.Equal(
            ["NaN", "+Inf", "-Inf", "1E+300", "0"],
            text.Render().Split('\n')
                .Where(static l => l.StartsWith("v{", StringComparison.Ordinal))
                .Select(static l => l.Split(' ')[1]));
    }

    [Fact]
    public void A_gauge_shows_the_present_only()
    {
        List<Measurement<double>> members = [new(3, new KeyValuePair<string, object?>("state", "alive"))];
        meter.CreateObservableGauge("members", () => members);
        Assert.Contains("members{state=\"alive\"} 3\n", text.Render(), StringComparison.Ordinal);
        members[0] = new(1, new KeyValuePair<string, object?>("state", "dead"));
        Assert.Equal("# TYPE members gauge\nmembers{state=\"dead\"} 1\n", text.Render());
        members.Clear();
        Assert.Equal("", text.Render());
    }

    [Fact]
    public void A_gauge_that_fails_does_not_hide_the_others()
    {
        meter.CreateObservableGauge("bad", static int () => throw new InvalidOperationException("no\nway"));
        meter.CreateObservableGauge("good", static () => 1);
        Assert.Equal("# TYPE good gauge\ngood 1\n# A gauge failed: no way\n", text.Render());
    }

    [Fact]
    public void Series_are_bounded()
    {
        Counter<long> counter = meter.CreateCounter<long>("many");
        for (int i = 0; i < 5_000; i++)
        {
            counter.Add(1, new KeyValuePair<string, object?>("id", i));
        }

        counter.Add(10, new KeyValuePair<string, object?>("id", 7));
        string[] lines = text.Render().Split('\n');
        Assert.Contains("many_total{otel_metric_overflow=\"true\"} 3000", lines);
        Assert.Contains("many_total{id=\"7\"} 11", lines);
        Assert.Equal(MetricFamily.MaxSeries + 1 + 2, lines.Length);
    }

    [Fact]
    public void Recording_into_a_known_series_allocates_nothing()
    {
        Counter<long> counter = meter.CreateCounter<long>("hot");
        KeyValuePair<string, object?> label = new("rcode", "NoError");
        counter.Add(1, label);
        Assert.Equal(0, Measure(10_000) - Measure(0));

        long Measure(int rounds)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < rounds; i++)
            {
                counter.Add(1, label);
            }

            return GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    [Fact]
    public void The_agents_instruments_have_valid_names()
    {
        using Instruments instruments = new();
        using PrometheusText own = new(m => ReferenceEquals(m, instruments.Meter));
        instruments.DnsRequests.Add(1);
        instruments.DnsDuration.Record(0.0002);
        instruments.Observe(Gauge.Networks, static () => 4);
        instruments.Observe(Gauge.CertificateExpiry, static () => 1.5e9);
        string shown = own.Render();
        string[] lines = shown.Split('\n');
        Assert.Contains("overlayd_dns_requests_total 1", lines);
        Assert.Contains("overlayd_dns_request_duration_seconds_bucket{le=\"0.00025\"} 1", lines);
        Assert.Contains("overlayd_networks 4", lines);
        Assert.Contains("overlayd_cert_expiry_timestamp_seconds 1500000000", lines);
        Assert.Matches("_build_info\\{dotnet=\"10[^\"]+\",revision=\"[^\"]*\",version=\"[^\"]+\"\\} 1\n", shown);
    }

    public void Dispose()
    {
        text.Dispose();
        meter.Dispose();
    }
}
