namespace Grpc.Core;

/// <summary>What a service's method knows and may say about the call it serves.</summary>
public abstract class ServerCallContext
{
    /// <summary>The method's full name: <c>/package.Service/Method</c>.</summary>
    public string Method => MethodCore;

    /// <summary>The authority the client asked for.</summary>
    public string Host => HostCore;

    /// <summary>The other side, as gRPC name syntax: <c>ipv4:…</c>, <c>ipv6:…</c> or <c>unix:…</c>.</summary>
    public string Peer => PeerCore;

    /// <summary>When the client gives up, in UTC; <see cref="DateTime.MaxValue"/> if it did not say.</summary>
    public DateTime Deadline => DeadlineCore;

    public Metadata RequestHeaders => RequestHeadersCore;

    /// <summary>Cancelled when the client cancels, its connection breaks, or the deadline passes.</summary>
    public CancellationToken CancellationToken => CancellationTokenCore;

    /// <summary>Sent after the last message.</summary>
    public Metadata ResponseTrailers => ResponseTrailersCore;

    /// <summary>How the call ends if the method returns; an exception overrides it.</summary>
    public Status Status
    {
        get => StatusCore;
        set => StatusCore = value;
    }

    public WriteOptions? WriteOptions
    {
        get => WriteOptionsCore;
        set => WriteOptionsCore = value;
    }

    /// <summary>What TLS proved about the client.</summary>
    public AuthContext AuthContext => AuthContextCore;

    /// <summary>A place for whoever handles the call to leave things for each other.</summary>
    public IDictionary<object, object> UserState => UserStateCore;

    protected abstract string MethodCore { get; }

    protected abstract string HostCore { get; }

    protected abstract string PeerCore { get; }

    protected abstract DateTime DeadlineCore { get; }

    protected abstract Metadata RequestHeadersCore { get; }

    protected abstract CancellationToken CancellationTokenCore { get; }

    protected abstract Metadata ResponseTrailersCore { get; }

    protected abstract Status StatusCore { get; set; }

    protected abstract WriteOptions? WriteOptionsCore { get; set; }

    protected abstract AuthContext AuthContextCore { get; }

    protected virtual IDictionary<object, object> UserStateCore => field ??= new Dictionary<object, object>();

    /// <summary>Sends the response's headers now, once, instead of with the first message.</summary>
    public Task WriteResponseHeadersAsync(Metadata responseHeaders) =>
        WriteResponseHeadersAsyncCore(responseHeaders);

    public ContextPropagationToken CreatePropagationToken(ContextPropagationOptions? options = null) =>
        CreatePropagationTokenCore(options);

    protected abstract Task WriteResponseHeadersAsyncCore(Metadata responseHeaders);

    protected abstract ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options);
}
