using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>One call of a client, from its request's headers to the server's trailers.</summary>
internal sealed class ClientCall<TRequest, TResponse> : IAsyncStreamReader<TResponse>, IDisposable
    where TRequest : class
    where TResponse : class
{
    private static readonly Status s_noMessage = new(
        StatusCode.Unimplemented, "The server answered OK without a message.");

    private readonly GrpcChannel _channel;
    private readonly Method<TRequest, TResponse> _method;
    private readonly string? _host;
    private readonly CallOptions _options;

#pragma warning disable CA2213 // Without a timer or a parent it holds nothing, and a late Cancel must find it alive.
    private readonly CancellationTokenSource _stop = new();
#pragma warning restore CA2213
    private readonly TaskCompletionSource<Metadata> _headers =
        new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly CallEnd _end = new();
    private Task _opened = Task.CompletedTask;
    private HttpContent? _content;
    private HttpResponseMessage? _response;
    private MessageReader<TResponse>? _reader;
    private DeadlineTimer? _deadlineTimer;
    private CancellationTokenRegistration _callerStop;
    private CancellationTokenRegistration _channelStop;
    private int _isReading;

    public ClientCall(GrpcChannel channel, Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        if (options.Deadline is { } deadline && deadline.Kind != DateTimeKind.Utc
            && deadline != DateTime.MaxValue && deadline != DateTime.MinValue)
        {
            throw new InvalidOperationException("A deadline must be in UTC: use DateTime.UtcNow plus a duration.");
        }

        _channel = channel;
        _method = method;
        _host = host;
        _options = options;
        StopToken = _stop.Token;
    }

    public CancellationToken StopToken { get; }

    public Task<Metadata> ResponseHeadersAsync => _headers.Task;

    public TResponse Current => _reader?.Current
        ?? throw new InvalidOperationException("There is no message before MoveNext has returned true.");

    /// <summary>Sends the request; everything that goes wrong from here on becomes the call's status.</summary>
    public void Start(HttpContent content)
    {
        _content = content;
        TimeSpan? timeout = _options.Deadline is { } deadline && deadline != DateTime.MaxValue
            ? deadline - DateTime.UtcNow
            : null;
        if (timeout <= TimeSpan.Zero)
        {
            Finish(CallEnd.Expired, null);
            return;
        }

        if (timeout is { } span)
        {
            _deadlineTimer = new DeadlineTimer(TimeProvider.System, span, () => Stop(CallEnd.Expired));
        }

        _channelStop = _channel.StopToken.Register(Dispose);
        _callerStop = _options.CancellationToken.Register(Cancel);
        _opened = OpenAsync(content, timeout);
    }

    /// <summary>Reads the response of a call that has exactly one.</summary>
    public async Task<TResponse> ReadOnlyMessageAsync()
    {
        if (!await MoveNextAsync(s_noMessage))
        {
            // Only a trailers-only answer of OK ends up here: its status was decided before anyone could object.
            throw Error(s_noMessage);
        }

        TResponse response = Current;
        return await MoveNextAsync()
            ? throw Fail(new Status(StatusCode.Unimplemented, "The server answered with more than one message."))
            : response;
    }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isReading, 1) != 0)
        {
            throw new InvalidOperationException("A read is still in progress: await it before the next.");
        }

        try
        {
            // A message given up in the middle cannot be resumed, so the token cancels the whole call.
            await using CancellationTokenRegistration stop = cancellationToken.Register(Cancel);
            return await MoveNextAsync();
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }

    public Status GetStatus() => _end.Status
        ?? throw new InvalidOperationException("The call has not ended, so it has no status yet.");

    public Metadata GetTrailers() => _end.Status is null
        ? throw new InvalidOperationException("The call has not ended, so it has no trailers yet.")
        : _end.Trailers;

    public void Cancel() => Stop(CallEnd.Cancelled);

    public void Dispose() => Stop(CallEnd.Disposed);

    /// <summary>Refuses a write that nobody would read, whatever the status of the call was.</summary>
    public void ThrowIfOver()
    {
        if (_end.Status is { } status)
        {
            throw Error(status);
        }
    }

    /// <summary>Why a write failed: the call's own end where there is one, for the socket knows only its half.</summary>
    public async Task<Exception> ExplainWriteAsync(Exception error)
    {
        if (_end.Status is { } ended)
        {
            return Error(ended);
        }

        if (error is RpcException or InvalidOperationException)
        {
            return Fail(CallFailure.Of(error, _channel.Address));
        }

        // The server's refusal may be on its way through the other half.
        await _opened;
        Status status = _end.Status ?? _end.Reason ?? CallFailure.Of(error, _channel.Address);
        return Error(status);
    }

    private async Task OpenAsync(HttpContent content, TimeSpan? timeout)
    {
        try
        {
            // The request is not disposed here: its body may go on long after the response's headers.
            _response = await _channel.Http.SendAsync(BuildRequest(content, timeout), StopToken);
            if (CallFailure.OfHeaders(_response) is { } status)
            {
                _headers.TrySetResult([]);
                Finish(status, ReadFields(_response.Headers));
                return;
            }

            _headers.TrySetResult(ReadFields(_response.Headers));
            Stream body = await _response.Content.ReadAsStreamAsync(StopToken);
            _reader = new MessageReader<TResponse>(
                PipeReader.Create(body), _method.ResponseMarshaller.ContextualDeserializer,
                _channel.MaxReceiveMessageSize);
            if (_end.Reason is { } reason)
            {
                Finish(reason, null);
            }
        }
#pragma warning disable CA1031 // Whatever it is, it is how the call ended, and the caller reads it from there.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Finish(_end.Reason ?? CallFailure.Of(error, _channel.Address), null);
        }
    }

    /// <summary>Reads the next message; at an end that is OK, the status becomes the one given, if any.</summary>
    private async Task<bool> MoveNextAsync(Status? atSuccess = null)
    {
        await _opened;
        if (_end.Status is null)
        {
            try
            {
                if (await _reader!.MoveNextAsync(StopToken))
                {
                    return true;
                }

                Status ended = CallFailure.OfFields(_response!.TrailingHeaders)
                    ?? new Status(StatusCode.Unknown, "The server ended the call without a status.");
                Finish(
                    ended.StatusCode == StatusCode.OK ? atSuccess ?? ended : ended,
                    ReadFields(_response.TrailingHeaders));
            }
#pragma warning disable CA1031 // As above: the status is where the caller sees it.
            catch (Exception error)
#pragma warning restore CA1031
            {
                Finish(_end.Reason ?? CallFailure.Of(error, _channel.Address), null);
            }
        }

        Status status = _end.Status!.Value;
        return status.StatusCode == StatusCode.OK ? false : throw Error(status);
    }

    private HttpRequestMessage BuildRequest(HttpContent content, TimeSpan? timeout)
    {
        HttpRequestMessage request = new(HttpMethod.Post, new Uri(_channel.Address, _method.FullName))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        HttpRequestHeaders headers = request.Headers;
        headers.Host = _host;
        headers.TryAddWithoutValidation("te", "trailers");
        headers.TryAddWithoutValidation("user-agent", Protocol.UserAgent);
        headers.TryAddWithoutValidation(Protocol.AcceptEncodingHeader, Protocol.Identity);
        if (timeout is { } span)
        {
            headers.TryAddWithoutValidation(Protocol.TimeoutHeader, WireTimeout.Format(span));
        }

        foreach (Metadata.Entry entry in _options.Headers ?? Metadata.Empty)
        {
            if (!headers.TryAddWithoutValidation(entry.Key, MetadataHeaders.Encode(entry)))
            {
                throw new RpcException(new Status(
                    StatusCode.Internal, $"The metadata key '{entry.Key}' belongs to HTTP; use another name."));
            }
        }

        return request;
    }

    private static Metadata ReadFields(HttpHeaders fields)
    {
        Metadata metadata = [];
        foreach ((string name, HeaderStringValues values) in fields.NonValidated)
        {
            foreach (string value in values)
            {
                MetadataHeaders.Decode(name, value, metadata);
            }
        }

        return metadata;
    }

    /// <summary>Ends the call for a reason of our own; the server sees its stream reset.</summary>
    private void Stop(Status reason)
    {
        if (!_end.TryStop(reason))
        {
            return;
        }

        _stop.Cancel();
        if (_opened.IsCompleted)
        {
            // Nobody may be reading who would notice; until then OpenAsync does.
            Finish(reason, null);
        }
    }

    private Exception Fail(Status status)
    {
        Finish(status, null);
        return Error(_end.Status ?? status);
    }

    private Exception Error(Status status) =>
        _channel.ThrowsOperationCanceled && status.StatusCode is StatusCode.Cancelled or StatusCode.DeadlineExceeded
            ? new OperationCanceledException(status.Detail, status.DebugException, _options.CancellationToken)
            : new RpcException(status, _end.Trailers);

    private void Finish(Status status, Metadata? trailers)
    {
        if (!_end.TryFinish(status, trailers ?? []))
        {
            return;
        }

        _deadlineTimer?.Dispose();
        _channelStop.Unregister();
        _callerStop.Unregister();
        if (_headers.TrySetException(Error(status)))
        {
            // Most callers never look at the headers; that is no unobserved failure.
            _ = _headers.Task.Exception;
        }

        (_content as MessageStreamContent)?.Abandon();
        _response?.Dispose();
    }
}
