using System.Diagnostics;
using System.Net;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Tests.Daemon.Telemetry;

/// <summary>From an entry learnt to an entry in the kernel, in numbers and spans.</summary>
public sealed class EndpointProgramsTests : IDisposable
{
    private static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly NetworkId Blue = new(3);
    private static readonly NetworkId Red = new(4);
    private static ulong lastTrace;

    private readonly ManualTime time = new(Start);
    private readonly Instruments instruments = new();
    private readonly PrometheusText metrics;
    private readonly EndpointPrograms programs;
    private readonly List<Activity> spans = [];
    private readonly ActivityListener listener;
    private readonly TraceContext trace = new(0xFEED, Interlocked.Increment(ref lastTrace), 77);

    public EndpointProgramsTests()
    {
        metrics = new(m => ReferenceEquals(m, instruments.Meter));
        programs = new(instruments, new(time), static () => ("node7", "host7"));
        listener = new()
        {
            ShouldListenTo = static source => source.Name == Instruments.Name,
            Sample = static (ref ActivityCreationOptions<ActivityContext> options) =>
                options.Parent.TraceFlags.HasFlag(ActivityTraceFlags.Recorded) ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = span =>
            {
                if (Spans.ContextOf(span) is var own && own.TraceHigh == trace.TraceHigh && own.TraceLow == trace.TraceLow)
                {
                    spans.Add(span);
                }
            },
        };
        ActivitySource.AddActivityListener(listener);
    }

    public void Dispose()
    {
        listener.Dispose();
        metrics.Dispose();
        instruments.Dispose();
        time.Dispose();
    }

    [Fact]
    public void The_span_continues_the_attach_and_lasts_from_learning_to_the_kernel()
    {
        programs.Wanted(5, Inputs([Blue], Blue));
        time.Set(Start.AddMilliseconds(10));
        programs.Happened(Learnt(Blue));
        time.Set(Start.AddMilliseconds(25));
        programs.Settled(4);
        Assert.Empty(spans);
        programs.Settled(5);
        Activity span = Assert.Single(spans);
        Assert.Equal(("endpoint.program", ActivityKind.Consumer), (span.OperationName, span.Kind));
        Assert.Equal(77UL, Convert.ToUInt64(span.ParentSpanId.ToHexString(), 16));
        Assert.Equal((Start.AddMilliseconds(10).UtcDateTime, TimeSpan.FromMilliseconds(15)), (span.StartTimeUtc, span.Duration));
        Assert.Equal("node7", span.GetTagItem("overlayd.node.id"));
        Assert.Equal("host7", span.GetTagItem("overlayd.node.name"));
        Assert.Equal(new NodeId(9).ToString(), span.GetTagItem("overlayd.endpoint.owner"));
        Assert.Equal("blue", span.GetTagItem("overlayd.network.name"));
        Assert.Contains("overlayd_endpoint_program_duration_seconds_sum 0.015\n", metrics.Render(), StringComparison.Ordinal);
        programs.Settled(6);
        Assert.Single(spans);
    }

    [Fact]
    public void The_kernel_may_be_done_before_the_news_is_told()
    {
        programs.Wanted(5, Inputs([Blue], Blue));
        programs.Settled(5);
        programs.Happened(Learnt(Blue));
        Assert.Single(spans);
    }

    [Fact]
    public void An_endpoint_of_a_network_without_a_sandbox_here_is_not_followed()
    {
        programs.Wanted(5, Inputs([Red], Red));
        programs.Happened(Learnt(Blue));
        programs.Settled(5);
        programs.Wanted(6, Inputs([Blue, Red], Blue, Red));
        programs.Settled(6);
        Assert.Empty(spans);
        Assert.DoesNotContain("program_duration_seconds_count", metrics.Render(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_owner_that_is_not_assigned_yet_is_waited_for()
    {
        programs.Wanted(5, Inputs([Blue]));
        programs.Happened(Learnt(Blue));
        programs.Settled(5);
        Assert.Empty(spans);
        time.Set(Start.AddSeconds(2));
        programs.Wanted(6, Inputs([Blue], Blue));
        programs.Settled(6);
        Assert.Equal(TimeSpan.FromSeconds(2), Assert.Single(spans).Duration);
    }

    [Fact]
    public void But_not_for_ever()
    {
        programs.Wanted(5, Inputs([Blue]));
        programs.Happened(Learnt(Blue));
        time.Set(Start + EndpointPrograms.Patience);
        programs.Wanted(6, Inputs([Blue], Blue));
        programs.Settled(6);
        Assert.Empty(spans);
    }

    [Fact]
    public void Without_a_trace_the_time_is_measured_all_the_same()
    {
        programs.Wanted(5, Inputs([Blue], Blue));
        programs.Happened(Learnt(Blue, traced: false));
        programs.Settled(5);
        Assert.Empty(spans);
        Assert.Contains("overlayd_endpoint_program_duration_seconds_count 1\n", metrics.Render(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-61, 0)]
    [InlineData(-59, 1)]
    [InlineData(59, 1)]
    [InlineData(61, 0)]
    public void What_was_attached_long_ago_is_no_part_of_its_attach(int seconds, int expected)
    {
        programs.Wanted(5, Inputs([Blue], Blue));
        programs.Happened(Learnt(Blue, createdAt: Start.AddSeconds(seconds)));
        programs.Settled(5);
        Assert.Equal(expected, spans.Count);
    }

    [Fact]
    public void A_new_membership_counts_its_revisions_anew()
    {
        programs.Wanted(500, Inputs([Blue], Blue));
        programs.Settled(500);
        programs.Wanted(1, Inputs([Blue], Blue));
        programs.Happened(Learnt(Blue));
        Assert.Empty(spans);
        programs.Settled(1);
        Assert.Single(spans);
    }

    [Fact]
    public void Their_number_is_bounded()
    {
        programs.Wanted(5, Inputs([Blue]));
        for (int i = 0; i < EndpointPrograms.MaxFollowed + 100; i++)
        {
            programs.Happened(Learnt(Blue));
        }

        programs.Wanted(6, Inputs([Blue], Blue));
        programs.Settled(6);
        Assert.Equal(EndpointPrograms.MaxFollowed, spans.Count);
    }

    [Fact]
    public void A_span_that_is_not_recorded_gives_nobody_a_context()
    {
        Assert.False(Spans.ContextOf(null).IsSpan);
        using Activity unrecorded = new("x");
        unrecorded.SetIdFormat(ActivityIdFormat.W3C).Start();
        Assert.False(Spans.ContextOf(unrecorded).IsSpan);
        unrecorded.ActivityTraceFlags = ActivityTraceFlags.Recorded;
        TraceContext context = Spans.ContextOf(unrecorded);
        Assert.True(Spans.TryContinue(context, out ActivityContext parent));
        Assert.Equal((unrecorded.TraceId, unrecorded.SpanId, true), (parent.TraceId, parent.SpanId, parent.IsRemote));
    }

    private NodeEvent.EndpointChanged Learnt(NetworkId network, bool traced = true, DateTimeOffset? createdAt = null) =>
        new(new(5), "box", "blue", "up", "on 9")
        {
            NetworkId = network,
            Learnt = new()
            {
                Id = new(5),
                Owner = new(9),
                Segment = 0,
                Name = "box",
                Mac = Mac,
                Ipv4 = IPAddress.Parse("10.0.0.5"),
                CreatedUnixMs = (createdAt ?? Start).ToUnixTimeMilliseconds(),
                Trace = traced ? trace : default,
            },
        };

    private static MacAddress Mac { get; } = MacAddress.FromBytes([2, 0, 0, 0, 0, 1]);

    /// <summary>Wishes with these networks, and the endpoint of the test on some of them.</summary>
    private static DataplaneInputs Inputs(NetworkId[] networks, params NetworkId[] remotesOn) => new()
    {
        Vtep = IPAddress.Parse("192.168.50.7"),
        UnderlayMtu = 1500,
        VxlanPort = 4789,
        GatewayPrefix = IPNetwork.Parse("172.31.0.0/16"),
        Networks = [.. networks.Select(static id => new OverlayNetwork { Id = id, Name = "n", Segments = [] })],
        Endpoints = [],
        Remotes =
        [
            .. remotesOn.Select(static id => new RemoteEndpoint(
                id, 0, Mac, IPAddress.Parse("10.0.0.5"), null, IPAddress.Parse("192.168.50.9"))),
        ],
    };
}
