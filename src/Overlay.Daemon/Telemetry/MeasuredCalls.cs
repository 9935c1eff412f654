using System.Diagnostics;
using Grpc.Core;

namespace Overlay.Daemon.Telemetry;

/// <summary>Carries calls as another invoker does, and counts and times the unary ones.</summary>
internal sealed class MeasuredCalls(CallInvoker calls, Instruments instruments) : CallInvoker
{
    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        calls.BlockingUnaryCall(method, host, options, request);

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        long started = Stopwatch.GetTimestamp();
        AsyncUnaryCall<TResponse> call = calls.AsyncUnaryCall(method, host, options, request);
        _ = MeasureAsync(call.ResponseAsync, method.FullName.TrimStart('/'), started);
        return call;
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        calls.AsyncServerStreamingCall(method, host, options, request);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        calls.AsyncClientStreamingCall(method, host, options);

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        calls.AsyncDuplexStreamingCall(method, host, options);

    private async Task MeasureAsync(Task response, string method, long started)
    {
        StatusCode code = StatusCode.OK;
        try
        {
            await response;
        }
        catch (RpcException e)
        {
            // The caller gets it too; here only its code counts.
            code = e.StatusCode;
        }
        catch (OperationCanceledException)
        {
            code = StatusCode.Cancelled;
        }

        KeyValuePair<string, object?> name = new("method", method);
        instruments.GrpcClientCalls.Add(1, name, new("code", code.ToString()));
        instruments.GrpcClientDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds, name);
    }
}
