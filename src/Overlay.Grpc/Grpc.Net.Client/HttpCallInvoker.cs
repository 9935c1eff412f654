using Grpc.Core;

namespace Grpc.Net.Client;

/// <summary>Starts calls of every kind as HTTP/2 requests of one channel.</summary>
internal sealed class HttpCallInvoker(GrpcChannel channel) : CallInvoker
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        // The one place that blocks: its caller asked for it by name.
        using AsyncUnaryCall<TResponse> call = AsyncUnaryCall(method, host, options, request);
        return call.GetAwaiter().GetResult();
    }

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        ClientCall<TRequest, TResponse> call = Start(method, host, options, request);
        return new AsyncUnaryCall<TResponse>(
            call.ReadOnlyMessageAsync(), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        ClientCall<TRequest, TResponse> call = Start(method, host, options, request);
        return new AsyncServerStreamingCall<TResponse>(
            call, call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        ClientCall<TRequest, TResponse> call = StartStream(
            method, host, options, out ClientStreamWriter<TRequest, TResponse> writer);
        return new AsyncClientStreamingCall<TRequest, TResponse>(
            writer, call.ReadOnlyMessageAsync(), call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers,
            call.Dispose);
    }

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options)
    {
        ClientCall<TRequest, TResponse> call = StartStream(
            method, host, options, out ClientStreamWriter<TRequest, TResponse> writer);
        return new AsyncDuplexStreamingCall<TRequest, TResponse>(
            writer, call, call.ResponseHeadersAsync, call.GetStatus, call.GetTrailers, call.Dispose);
    }

    private ClientCall<TRequest, TResponse> Start<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
        where TRequest : class
        where TResponse : class
    {
        ArgumentNullException.ThrowIfNull(request);
        ObjectDisposedException.ThrowIf(channel.StopToken.IsCancellationRequested, channel);
        ClientCall<TRequest, TResponse> call = new(channel, method, host, options);
        call.Start(new SingleMessageContent<TRequest>(
            request, method.RequestMarshaller.ContextualSerializer, channel.MaxSendMessageSize));
        return call;
    }

    private ClientCall<TRequest, TResponse> StartStream<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options,
        out ClientStreamWriter<TRequest, TResponse> writer)
        where TRequest : class
        where TResponse : class
    {
        ObjectDisposedException.ThrowIf(channel.StopToken.IsCancellationRequested, channel);
        ClientCall<TRequest, TResponse> call = new(channel, method, host, options);
        MessageStreamContent content = new();
        writer = new ClientStreamWriter<TRequest, TResponse>(
            call, content, method.RequestMarshaller.ContextualSerializer, channel.MaxSendMessageSize)
        {
            WriteOptions = options.WriteOptions,
        };
        call.Start(content);
        return call;
    }
}
