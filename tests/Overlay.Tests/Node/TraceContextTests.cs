using System.Net;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Tests.Node;

public sealed class TraceContextTests
{
    private static readonly TraceContext Span = new(0x0102030405060708, 0x090A0B0C0D0E0F10, 0x1112131415161718);

    [Fact]
    public void The_octets_are_the_trace_id_and_the_span_id_in_order()
    {
        byte[] bytes = Span.ToBytes();
        Assert.Equal(Enumerable.Range(1, 24).Select(static i => (byte)i), bytes);
        Assert.Equal(Span, TraceContext.Read(bytes));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(23)]
    [InlineData(25)]
    [InlineData(4000)]
    public void Another_length_is_no_span(int length) =>
        Assert.False(TraceContext.Read(Enumerable.Repeat((byte)1, length).ToArray()).IsSpan);

    [Theory]
    [InlineData(0, 0, 1)]
    [InlineData(1, 1, 0)]
    [InlineData(0, 0, 0)]
    public void A_zero_id_is_no_span(ulong high, ulong low, ulong span) => Assert.False(new TraceContext(high, low, span).IsSpan);

    [Fact]
    public void A_gossiped_record_carries_the_span_of_its_attach_only_where_there_is_one()
    {
        byte[] without = RemoteEndpointRecord.Encode(Endpoint(default), IPAddress.Loopback);
        byte[] with = RemoteEndpointRecord.Encode(Endpoint(Span), IPAddress.Loopback);
        Assert.Equal(TraceContext.Bytes + 2, with.Length - without.Length);
        Assert.False(Decode(without).Trace.IsSpan);
        Assert.Equal(Span, Decode(with).Trace);
    }

    private static RemoteEndpointRecord Decode(byte[] bytes)
    {
        Assert.True(
            RemoteEndpointRecord.TryDecode(
                new NodeId(7).ToString(), new EndpointId(5).ToString(), bytes, out RemoteEndpointRecord? record, out string reason),
            reason);
        return record!;
    }

    private static EndpointState Endpoint(TraceContext trace) => new()
    {
        Id = new(5),
        Network = new(3),
        Segment = 0,
        Sandbox = new("box"),
        Interface = "eth0",
        Mac = MacAddress.FromBytes([2, 0, 0, 0, 0, 1]),
        Ipv4 = IPAddress.Parse("10.0.0.2"),
        Name = "box",
        Trace = trace,
    };
}
