using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;

namespace Grpc.AspNetCore.Server;

/// <summary>Takes a request from its first check to its last trailer; how the service is called is given.</summary>
internal sealed class ServerCall(
    IMethod method, GrpcServiceOptions options, TimeProvider time, ILogger logger, Func<HttpCallContext, Task> invoke)
{
    public async Task HandleAsync(HttpContext http)
    {
        if (!ServerAdmission.IsGrpc(http))
        {
            return;
        }

        http.Response.ContentType = Protocol.ContentType;
        bool isAdmitted = ServerAdmission.TryAdmit(http, out TimeSpan? timeout, out Status refusal);
        using HttpCallContext context = new(http, method, timeout, time);
        if (!isAdmitted)
        {
            await context.FinishAsync(refusal);
            return;
        }

        LiftBodyLimits(http);
        Task<Status> work = RunAsync(context);
        if (context.Expired is { } expired && await Task.WhenAny(work, expired) == expired)
        {
            // The client hears of it now, even if the service is slow to notice its token.
            await context.FinishAsync(ExpiredStatus);
            await http.Response.CompleteAsync();
            await work;
            return;
        }

        await context.FinishAsync(await work);
    }

    private static Status ExpiredStatus => new(StatusCode.DeadlineExceeded, "Deadline Exceeded");

    private async Task<Status> RunAsync(HttpCallContext context)
    {
        Status status;
        try
        {
            await invoke(context);
            status = context.Status;
        }
        catch (RpcException refusal)
        {
            foreach (Metadata.Entry entry in refusal.Trailers)
            {
                context.ResponseTrailers.Add(entry);
            }

            status = refusal.Status;
            ServerLog.CallRefused(logger, method.FullName, status.StatusCode, status.Detail);
        }
        catch (Exception error) when (context.CancellationToken.IsCancellationRequested
            || context.HttpContext.RequestAborted.IsCancellationRequested
            || error is OperationCanceledException { InnerException: IOException })
        {
            // The client has gone, or its time is over; whatever that broke in the service is not news.
            status = new Status(StatusCode.Cancelled, "The call was cancelled.");
        }
#pragma warning disable CA1031 // The top of a call: an unexpected exception ends it, not the process.
        catch (Exception error)
#pragma warning restore CA1031
        {
            ServerLog.HandlerFailed(logger, method.FullName, error);
            string detail = options.EnableDetailedErrors == true ? $" {error.GetType().Name}: {error.Message}" : "";
            status = new Status(StatusCode.Unknown, $"Exception was thrown by handler.{detail}");
        }

        return context.IsExpired ? ExpiredStatus : status;
    }

    /// <summary>Messages have their own limit, and a stream may be silent for days.</summary>
    private void LiftBodyLimits(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
        {
            size.MaxRequestBodySize = null;
        }

        if (method.Type is MethodType.ClientStreaming or MethodType.DuplexStreaming
            && http.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = null;
        }
    }
}
