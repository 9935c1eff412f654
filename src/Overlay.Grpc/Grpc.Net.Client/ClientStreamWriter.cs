using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>The messages a client streams.</summary>
internal sealed class ClientStreamWriter<TRequest, TResponse>(
    ClientCall<TRequest, TResponse> call,
    MessageStreamContent content,
    Action<TRequest, SerializationContext> serialize,
    int? maxMessageSize) : IClientStreamWriter<TRequest>
    where TRequest : class
    where TResponse : class
{
    private MessageWriter<TRequest>? _writer;
    private int _isWriting;
    private bool _isCompleted;

    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(TRequest message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(TRequest message, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        Enter();
        try
        {
            // Giving up one message in the middle gives up the stream, so the token cancels the whole call.
            await using CancellationTokenRegistration stop = cancellationToken.Register(call.Cancel);
            PipeWriter pipe = await content.Opened;
            call.ThrowIfOver();
            _writer ??= new MessageWriter<TRequest>(pipe, serialize, maxMessageSize);
            _writer.Write(message);
            FlushResult result = await pipe.FlushAsync(call.StopToken);
            if (result.IsCompleted)
            {
                throw new IOException("The server has ended the call.");
            }
        }
        catch (Exception error)
        {
            throw await call.ExplainWriteAsync(error);
        }
        finally
        {
            Volatile.Write(ref _isWriting, 0);
        }
    }

    public Task CompleteAsync()
    {
        Enter();
        _isCompleted = true;
        content.HalfClose();
        Volatile.Write(ref _isWriting, 0);
        return Task.CompletedTask;
    }

    private void Enter()
    {
        if (_isCompleted)
        {
            throw new InvalidOperationException("The stream of requests is already completed.");
        }

        if (Interlocked.Exchange(ref _isWriting, 1) != 0)
        {
            throw new InvalidOperationException("A write is still in progress: await it before the next.");
        }
    }
}
