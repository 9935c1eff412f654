using System.Diagnostics.Metrics;
using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

public sealed class RisingTotalsTests : IDisposable
{
    private readonly Meter meter = new("rising-totals-test");
    private readonly RisingTotals totals = new();
    private readonly PrometheusText text;
    private readonly Counter<long> counter;

    public RisingTotalsTests()
    {
        text = new(m => ReferenceEquals(m, meter));
        counter = meter.CreateCounter<long>("things");
    }

    public void Dispose()
    {
        text.Dispose();
        meter.Dispose();
    }

    [Fact]
    public void A_counter_shows_the_total_from_the_first_look_even_zero()
    {
        totals.Add(counter, 0, ("kind", "a"));
        Shows("things_total{kind=\"a\"} 0");
        totals.Add(counter, 5, ("kind", "a"));
        totals.Add(counter, 5, ("kind", "a"));
        totals.Add(counter, 7, ("kind", "a"));
        totals.Add(counter, 3, ("kind", "b"));
        Shows("things_total{kind=\"a\"} 7");
        Shows("things_total{kind=\"b\"} 3");
    }

    [Fact]
    public void What_falls_adds_nothing_and_what_begins_anew_is_added()
    {
        totals.Add(counter, 5);
        totals.Add(counter, 4);
        totals.Add(counter, 5);
        Shows("things_total 5");
        totals.Restart();
        totals.Add(counter, 4);
        Shows("things_total 9");
    }

    private void Shows(string line) => Assert.Contains(line, text.Render().Split('\n'));
}
