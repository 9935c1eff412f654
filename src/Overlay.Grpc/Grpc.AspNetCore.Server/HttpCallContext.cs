using System.Globalization;
using System.IO.Pipelines;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Grpc.AspNetCore.Server;

/// <summary>One served call: its metadata, its deadline, and how it ends on the wire.</summary>
internal sealed class HttpCallContext : ServerCallContext, IDisposable
{
    private readonly IMethod _method;

    /// <summary>Held by the one who is writing; whoever ends the call takes it and never gives it back.</summary>
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly CancellationTokenSource _stop;
    private readonly DeadlineTimer? _deadlineTimer;
    private readonly TaskCompletionSource? _expired;
    private Metadata? _trailers;
    private AuthContext? _authContext;
    private bool _hasHeadersSent;
    private bool _hasBody;
    private volatile bool _isExpired;

    public HttpCallContext(HttpContext httpContext, IMethod method, TimeSpan? timeout, TimeProvider time)
    {
        HttpContext = httpContext;
        _method = method;
        RequestHeadersCore = ReadRequestHeaders(httpContext.Request);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(httpContext.RequestAborted);
        CancellationTokenCore = _stop.Token;
        DeadlineCore = DateTime.MaxValue;
        if (timeout is not { } span)
        {
            return;
        }

        DateTime now = time.GetUtcNow().UtcDateTime;
        DeadlineCore = span < DateTime.MaxValue - now ? now + span : DateTime.MaxValue;
        _expired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _deadlineTimer = new DeadlineTimer(time, span, Expire);
    }

    public HttpContext HttpContext { get; }

    /// <summary>Ends when the deadline passes; null without one.</summary>
    public Task? Expired => _expired?.Task;

    public bool IsExpired => _isExpired;

    protected override string MethodCore => _method.FullName;

    protected override string HostCore => HttpContext.Request.Host.Value ?? "";

    protected override string PeerCore => PeerName.Of(HttpContext);

    protected override DateTime DeadlineCore { get; }

    protected override Metadata RequestHeadersCore { get; }

    protected override CancellationToken CancellationTokenCore { get; }

    protected override Metadata ResponseTrailersCore => _trailers ??= [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore =>
        _authContext ??= PeerName.Authenticate(HttpContext.Connection.ClientCertificate);

    /// <summary>Sends one message and waits until the connection has room for it.</summary>
    public async Task WriteAsync<T>(
        MessageWriter<T> writer, T message, bool flush, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(message);
        Enter();
        try
        {
            _hasBody = true;
            writer.Write(message);
            if (!flush)
            {
                return;
            }

            FlushResult result = await HttpContext.Response.BodyWriter.FlushAsync(cancellationToken);
            if (result.IsCanceled || result.IsCompleted)
            {
                Cancel();
                throw new OperationCanceledException("The client has gone before the message was sent.");
            }
        }
        catch (InvalidOperationException)
        {
            // A half-written message cannot be taken back; what follows would be read as its rest.
            HttpContext.Abort();
            throw;
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Writes the status and the trailers. Nothing can be sent afterwards.</summary>
    public async Task FinishAsync(Status status)
    {
        await _writing.WaitAsync(CancellationToken.None);
        HttpResponse response = HttpContext.Response;
        bool isTrailersOnly = !_hasBody && !response.HasStarted;
        IHeaderDictionary fields = isTrailersOnly
            ? response.Headers
            : HttpContext.Features.Get<Microsoft.AspNetCore.Http.Features.IHttpResponseTrailersFeature>()!.Trailers;
        status = TryAppend(fields, _trailers)
            ? status
            : new Status(StatusCode.Internal, "The service set a trailer that cannot be sent.");
        fields[Protocol.StatusHeader] = ((int)status.StatusCode).ToString(CultureInfo.InvariantCulture);
        if (status.Detail.Length > 0)
        {
            fields[Protocol.MessageHeader] = StatusText.Encode(status.Detail);
        }
    }

    /// <summary>Cancels the token, for whoever learns first that the client has gone.</summary>
    public void Cancel()
    {
        try
        {
            _stop.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The call ended in the same moment.
        }
    }

    public void Dispose()
    {
        _deadlineTimer?.Dispose();
        _stop.Dispose();
        _writing.Dispose();
    }

    protected override async Task WriteResponseHeadersAsyncCore(Metadata responseHeaders)
    {
        ArgumentNullException.ThrowIfNull(responseHeaders);
        Enter();
        try
        {
            if (_hasHeadersSent || HttpContext.Response.HasStarted)
            {
                throw new InvalidOperationException("Response headers can be sent once per call, before any message.");
            }

            foreach (Metadata.Entry entry in responseHeaders)
            {
                Append(HttpContext.Response.Headers, entry);
            }

            _hasHeadersSent = true;
            await HttpContext.Response.BodyWriter.FlushAsync(CancellationTokenCore);
        }
        finally
        {
            _writing.Release();
        }
    }

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) =>
        throw new NotSupportedException("Pass Deadline and CancellationToken of this context on instead.");

    private static Metadata ReadRequestHeaders(HttpRequest request)
    {
        Metadata headers = [];
        foreach ((string name, StringValues values) in request.Headers)
        {
            foreach (string? value in values)
            {
                MetadataHeaders.Decode(name, value, headers);
            }
        }

        return headers;
    }

    private static bool TryAppend(IHeaderDictionary fields, Metadata? metadata)
    {
        try
        {
            foreach (Metadata.Entry entry in metadata ?? Metadata.Empty)
            {
                Append(fields, entry);
            }

            return true;
        }
        catch (RpcException)
        {
            // Our own refusal of an entry; the caller turns it into the call's status.
            return false;
        }
    }

    private static void Append(IHeaderDictionary fields, Metadata.Entry entry) =>
        fields.Append(entry.Key, MetadataHeaders.Encode(entry));

    private void Enter()
    {
        if (!_writing.Wait(0, CancellationToken.None))
        {
            throw new InvalidOperationException(
                "A write is still in progress or the call is over: await the last write before the next.");
        }
    }

    private void Expire()
    {
        _isExpired = true;
        Cancel();
        _expired!.TrySetResult();
    }
}
