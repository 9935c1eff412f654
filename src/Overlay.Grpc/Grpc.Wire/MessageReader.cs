using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;

namespace Grpc.Wire;

/// <summary>
/// Cuts length-prefixed messages out of a body and parses each where it lies, without a copy. Holds at most one
/// message of the largest allowed size.
/// </summary>
internal sealed class MessageReader<T>(
    PipeReader pipe, Func<DeserializationContext, T> deserialize, int? maxMessageSize) : DeserializationContext
{
    private ReadOnlySequence<byte> _payload;

    /// <summary>The message the last true <see cref="MoveNextAsync"/> found.</summary>
    public T Current { get; private set; } = default!;

    public override int PayloadLength => (int)_payload.Length;

    public override byte[] PayloadAsNewBuffer() => _payload.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => _payload;

    /// <summary>Reads the next message; false at the end of the body.</summary>
    /// <exception cref="RpcException">The bytes are no message, or one that is too long.</exception>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            ReadResult result = await pipe.ReadAsync(cancellationToken);
            ReadOnlySequence<byte> buffer = result.Buffer;
            SequencePosition consumed = buffer.Start;
            SequencePosition examined = buffer.End;
            try
            {
                if (TryCut(buffer, out _payload))
                {
                    consumed = examined = _payload.End;
                    Current = Parse();
                    return true;
                }

                if (result.IsCompleted)
                {
                    return buffer.IsEmpty
                        ? false
                        : throw Broken(StatusCode.Internal, "The stream ended in the middle of a message.");
                }
            }
            finally
            {
                _payload = default;
                pipe.AdvanceTo(consumed, examined);
            }
        }
    }

    private bool TryCut(ReadOnlySequence<byte> buffer, out ReadOnlySequence<byte> payload)
    {
        payload = default;
        if (buffer.Length < Protocol.FrameHeaderSize)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[Protocol.FrameHeaderSize];
        buffer.Slice(0, Protocol.FrameHeaderSize).CopyTo(header);
        if (header[0] != 0)
        {
            throw header[0] == 1
                ? Broken(StatusCode.Internal, "A message is compressed, but the call's encoding is identity.")
                : Broken(StatusCode.Internal, "A message starts with an unknown flag.");
        }

        uint length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > (uint)(maxMessageSize ?? int.MaxValue))
        {
            throw Broken(
                StatusCode.ResourceExhausted,
                $"A received message of {length} bytes is longer than the limit of {maxMessageSize} bytes.");
        }

        if (buffer.Length - Protocol.FrameHeaderSize < length)
        {
            return false;
        }

        payload = buffer.Slice(Protocol.FrameHeaderSize, length);
        return true;
    }

    private T Parse()
    {
        try
        {
            return deserialize(this);
        }
        catch (Exception error) when (error is not RpcException)
        {
            // Whatever the marshaller threw, it is the peer's bytes that it could not read.
            throw new RpcException(new Status(StatusCode.Internal, "A message could not be parsed.", error));
        }
    }

    private static RpcException Broken(StatusCode code, string detail) => new(new Status(code, detail));
}
