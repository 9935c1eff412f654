using System.Collections.Concurrent;
using System.Text;
using Grpc.Core;
using Overlay.Tests.Protos;

namespace Overlay.Interop.Grpcio;

/// <summary>Does what a foreign client asks of it; one object serves all calls.</summary>
internal sealed class EchoService : Echo.EchoBase
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _cancelled = new(StringComparer.Ordinal);

    public override async Task<EchoReply> Unary(EchoRequest request, ServerCallContext context)
    {
        switch (request.Behaviour)
        {
            case "wait":
                await UntilCancelledAsync(request.Text, context.CancellationToken);
                break;
            case "was-cancelled":
                await Cancelled(request.Text).Task.WaitAsync(context.CancellationToken);
                break;
            case "fail":
                Metadata trailers = new() { { "reason", "asked" }, { "grpc-status-details-bin", [1, 2, 255] } };
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "größer % als\n1"), trailers);
            case "throw":
                throw new InvalidDataException("a secret");
            case "headers":
                Metadata reflected = [];
                foreach (Metadata.Entry entry in context.RequestHeaders.Where(
                    entry => entry.Key.StartsWith("x-", StringComparison.Ordinal)))
                {
                    reflected.Add(entry);
                }

                await context.WriteResponseHeadersAsync(reflected);
                context.ResponseTrailers.Add("last", "word");
                context.ResponseTrailers.Add("last-bin", [0, 255]);
                break;
            default:
                break;
        }

        return new EchoReply { Text = request.Text, Payload = request.Payload };
    }

    public override async Task<EchoReply> Collect(
        IAsyncStreamReader<EchoRequest> requestStream, ServerCallContext context)
    {
        StringBuilder all = new();
        await foreach (EchoRequest request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            all.Append(request.Text);
        }

        return new EchoReply { Text = all.ToString() };
    }

    public override async Task Repeat(
        EchoRequest request, IServerStreamWriter<EchoReply> responseStream, ServerCallContext context)
    {
        for (uint i = 0; i < request.Count; i++)
        {
            await responseStream.WriteAsync(new EchoReply { Text = request.Text, Index = i });
        }

        if (request.Behaviour == "fail")
        {
            throw new RpcException(new Status(StatusCode.DataLoss, "after messages"));
        }

        if (request.Behaviour == "wait")
        {
            await UntilCancelledAsync(request.Text, context.CancellationToken);
        }
    }

    public override async Task Chat(
        IAsyncStreamReader<EchoRequest> requestStream,
        IServerStreamWriter<EchoReply> responseStream,
        ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await responseStream.WriteAsync(new EchoReply { Text = requestStream.Current.Text });
        }
    }

    private async Task UntilCancelledAsync(string call, CancellationToken cancellationToken)
    {
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        finally
        {
            Cancelled(call).TrySetResult();
        }
    }

    /// <summary>Set when the call of this text, and no other, was cancelled.</summary>
    private TaskCompletionSource Cancelled(string call) => _cancelled.GetOrAdd(
        call, static _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
}
