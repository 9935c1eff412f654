using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>
/// Writes length-prefixed messages straight into a pipe's memory. A marshaller that does not say the length first
/// has its bytes collected, as the prefix must precede them.
/// </summary>
internal sealed class MessageWriter<T>(
    PipeWriter pipe, Action<T, SerializationContext> serialize, int? maxMessageSize)
    : SerializationContext, IBufferWriter<byte>
{
    private ArrayBufferWriter<byte>? _collected;
    private int? _length;
    private long _written;
    private bool _isComplete;

    /// <summary>Puts one message into the pipe; the caller flushes.</summary>
    public void Write(T message)
    {
        _collected = null;
        _length = null;
        _written = 0;
        _isComplete = false;
        serialize(message, this);
        if (!_isComplete)
        {
            throw new InvalidOperationException("The marshaller did not complete its message.");
        }
    }

    public override void SetPayloadLength(int payloadLength)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(payloadLength);
        if (_length is not null || _collected is not null)
        {
            throw new InvalidOperationException("The length must be said once, before the bytes.");
        }

        ThrowIfTooLong(payloadLength);
        _length = payloadLength;
        WriteHeader(payloadLength);
    }

    public override IBufferWriter<byte> GetBufferWriter() => _length is null ? _collected ??= new() : this;

    public override void Complete(byte[] payload)
    {
        ThrowIfTooLong(payload.Length);
        WriteHeader(payload.Length);
        pipe.Write(payload);
        _isComplete = true;
    }

    public override void Complete()
    {
        if (_length is null)
        {
            ReadOnlySpan<byte> payload = (_collected ??= new()).WrittenSpan;
            ThrowIfTooLong(payload.Length);
            WriteHeader(payload.Length);
            pipe.Write(payload);
        }
        else if (_written != _length)
        {
            throw new InvalidOperationException(
                $"The marshaller announced {_length} bytes and wrote {_written}: was the message changed meanwhile?");
        }

        _isComplete = true;
    }

    void IBufferWriter<byte>.Advance(int count)
    {
        _written += count;
        pipe.Advance(count);
    }

    Memory<byte> IBufferWriter<byte>.GetMemory(int sizeHint) => pipe.GetMemory(sizeHint);

    Span<byte> IBufferWriter<byte>.GetSpan(int sizeHint) => pipe.GetSpan(sizeHint);

    private void WriteHeader(int payloadLength)
    {
        Span<byte> header = pipe.GetSpan(Protocol.FrameHeaderSize);
        header[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(header[1..], payloadLength);
        pipe.Advance(Protocol.FrameHeaderSize);
    }

    private void ThrowIfTooLong(int length)
    {
        if (length > maxMessageSize)
        {
            throw new RpcException(new Status(
                StatusCode.ResourceExhausted,
                $"A message to send of {length} bytes is longer than the limit of {maxMessageSize} bytes."));
        }
    }
}
