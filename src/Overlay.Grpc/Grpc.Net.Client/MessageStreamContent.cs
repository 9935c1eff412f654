using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>A request body that stays open until the caller half-closes it.</summary>
internal sealed class MessageStreamContent : HttpContent
{
    private readonly TaskCompletionSource<PipeWriter> _opened =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public MessageStreamContent() => Headers.ContentType = new MediaTypeHeaderValue(Protocol.ContentType);

    /// <summary>Where to write, once there is a connection; cancelled if there will be none.</summary>
    public Task<PipeWriter> Opened => _opened.Task;

    public void HalfClose() => _closed.TrySetResult();

    /// <summary>Ends the body without completing it.</summary>
    public void Abandon()
    {
        _opened.TrySetCanceled();
        _closed.TrySetCanceled();
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // The server shall see the call before its first message.
        await stream.FlushAsync(cancellationToken);
        PipeWriter pipe = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
        if (!_opened.TrySetResult(pipe))
        {
            throw new IOException("The stream of requests was already under way and cannot be sent again.");
        }

        using CancellationTokenRegistration stop = cancellationToken.Register(Abandon);
        await _closed.Task;
        await pipe.CompleteAsync();
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
