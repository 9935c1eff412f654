using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>A request body of one message. It can be sent again, should the connection refuse it unseen.</summary>
internal sealed class SingleMessageContent<T> : HttpContent
{
    private readonly T _message;
    private readonly Action<T, SerializationContext> _serialize;
    private readonly int? _maxMessageSize;

    public SingleMessageContent(T message, Action<T, SerializationContext> serialize, int? maxMessageSize)
    {
        _message = message;
        _serialize = serialize;
        _maxMessageSize = maxMessageSize;
        Headers.ContentType = new MediaTypeHeaderValue(Protocol.ContentType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        PipeWriter pipe = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        try
        {
            new MessageWriter<T>(pipe, _serialize, _maxMessageSize).Write(_message);
        }
        catch (Exception error)
        {
            // Nothing of a half-written message may leave; completing with an error drops it.
            await pipe.CompleteAsync(error);
            throw;
        }

        await pipe.FlushAsync(cancellationToken);
        await pipe.CompleteAsync();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
