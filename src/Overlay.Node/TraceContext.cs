using System.Buffers.Binary;

namespace Overlay.Node;

/// <summary>
/// Which span of a distributed trace something belongs to: W3C Trace Context's trace id and parent id. It is there only
/// while the span is recorded, so its presence is the sampling decision for everybody who continues the trace.
/// </summary>
/// <param name="TraceHigh">The first eight octets of the trace id, big-endian.</param>
/// <param name="TraceLow">Its last eight.</param>
/// <param name="Span">The parent id.</param>
public readonly record struct TraceContext(ulong TraceHigh, ulong TraceLow, ulong Span)
{
    public const int Bytes = 24;

    /// <summary>W3C: neither id may be zero.</summary>
    public bool IsSpan => (TraceHigh != 0 || TraceLow != 0) && Span != 0;

    /// <summary>Octets of anything else than a span's length are none.</summary>
    public static TraceContext Read(ReadOnlySpan<byte> bytes) => bytes.Length != Bytes
        ? default
        : new(
            BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]));

    public byte[] ToBytes()
    {
        byte[] bytes = new byte[Bytes];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, TraceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(8), TraceLow);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(16), Span);
        return bytes;
    }
}
