using System.Diagnostics.Metrics;
using System.Reflection;
using System.Text.RegularExpressions;
using Overlay.Daemon.Telemetry;

namespace Overlay.Tests.Daemon.Telemetry;

/// <summary>An instrument that nothing feeds shows zero for ever, and an operator believes it.</summary>
public sealed class InstrumentFeedTests
{
    private static readonly string Root = FindRoot();

    private static readonly string Sources = string.Join('\n', Directory
        .EnumerateFiles(Path.Combine(Root, "src", "Overlay.Daemon"), "*.cs", SearchOption.AllDirectories)
        .Where(static file => Path.GetFileName(file) != "Instruments.cs" && !file.Contains("/obj/", StringComparison.Ordinal))
        .Select(File.ReadAllText));

    public static TheoryData<string> Instruments =>
        [.. typeof(Instruments).GetProperties().Where(static p => p.PropertyType.IsAssignableTo(typeof(Instrument))).Select(static p => p.Name)];

    public static TheoryData<string> Gauges =>
        [.. typeof(Gauge).GetFields(BindingFlags.Public | BindingFlags.Static).Select(static f => f.Name)];

    [Theory]
    [MemberData(nameof(Instruments))]
    public void Something_feeds_the_instrument(string name) =>
        Assert.Matches($@"\binstruments\.{name}(\.(Add|Record)\(|, \w)|\bInstruments\.{name}\.(Add|Record)\(", Sources);

    [Theory]
    [MemberData(nameof(Gauges))]
    public void Something_reads_the_gauge(string name)
    {
        if (name != nameof(Gauge.BuildInfo))
        {
            Assert.Matches($@"\.Observe\((Telemetry\.)?Gauge\.{name},", Sources);
        }
    }

    [Fact]
    public void The_operators_page_explains_each_metric_and_no_other()
    {
        using Instruments instruments = new();
        SortedSet<string> declared = new(
            [
                .. typeof(Instruments).GetProperties()
                    .Select(p => p.GetValue(instruments)).OfType<Instrument>()
                    .Select(static i => MetricName.For(i.Name, i.Unit, MetricName.KindOf(i)!.Value)),
                .. typeof(Gauge).GetFields(BindingFlags.Public | BindingFlags.Static)
                    .Select(static f => (Gauge)f.GetValue(null)!).Select(static g => MetricName.For(g.Name, g.Unit, MetricKind.Gauge)),
            ],
            StringComparer.Ordinal);
        string page = File.ReadAllText(Path.Combine(Root, "docs", "operating.md"));
        SortedSet<string> explained = new(
            Regex.Matches(page, @"^\| `(overlayd_\w+)", RegexOptions.Multiline).Select(static m => m.Groups[1].Value), StringComparer.Ordinal);
        Assert.Equal(declared, explained);
    }

    private static string FindRoot()
    {
        string folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Overlay.sln")))
        {
            folder = Path.GetDirectoryName(folder)!;
        }

        return folder;
    }
}
