namespace Grpc.Core;

/// <summary>One request, a stream of responses.</summary>
public sealed class AsyncServerStreamingCall<TResponse>(
    IAsyncStreamReader<TResponse> responseStream,
    Task<Metadata> responseHeadersAsync,
    Func<Status> getStatusFunc,
    Func<Metadata> getTrailersFunc,
    Action disposeAction) : IDisposable
{
    public IAsyncStreamReader<TResponse> ResponseStream { get; } = responseStream;

    /// <summary>The server's headers, as soon as they are here.</summary>
    public Task<Metadata> ResponseHeadersAsync { get; } = responseHeadersAsync;

    /// <summary>How the call ended; an <see cref="InvalidOperationException"/> before that.</summary>
    public Status GetStatus() => getStatusFunc();

    /// <summary>The server's trailers; an <see cref="InvalidOperationException"/> before the call has ended.</summary>
    public Metadata GetTrailers() => getTrailersFunc();

    /// <summary>Cancels the call if it is still going on.</summary>
    public void Dispose() => disposeAction();
}
