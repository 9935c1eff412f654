using System.Diagnostics;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Daemon.Telemetry;

/// <summary>Between the runtime's spans and the 24 octets that travel with an endpoint's record.</summary>
internal static class Spans
{
    /// <summary>None unless the span is recorded: who reads it continues a trace that exists.</summary>
    public static TraceContext ContextOf(Activity? span)
    {
        if (span is not { Recorded: true, IdFormat: ActivityIdFormat.W3C })
        {
            return default;
        }

        Span<byte> bytes = stackalloc byte[TraceContext.Bytes];
        span.TraceId.CopyTo(bytes[..16]);
        span.SpanId.CopyTo(bytes[16..]);
        return TraceContext.Read(bytes);
    }

    /// <summary>The parent of a span that continues the trace; false where there is none.</summary>
    public static bool TryContinue(TraceContext context, out ActivityContext parent)
    {
        parent = default;
        if (!context.IsSpan)
        {
            return false;
        }

        ReadOnlySpan<byte> bytes = context.ToBytes();
        parent = new(
            ActivityTraceId.CreateFromBytes(bytes[..16]), ActivitySpanId.CreateFromBytes(bytes[16..]), ActivityTraceFlags.Recorded,
            isRemote: true);
        return true;
    }

    /// <summary>What every span of an endpoint says: where it ran, and of what.</summary>
    public static void Describe(Activity span, string nodeId, string nodeName, EndpointId endpoint, string network)
    {
        span.SetTag("overlayd.node.id", nodeId);
        span.SetTag("overlayd.node.name", nodeName);
        span.SetTag("overlayd.endpoint.id", endpoint.ToString());
        span.SetTag("overlayd.network.name", network);
    }
}
