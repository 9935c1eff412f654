using System.Text;
using Grpc.Core;
using Overlay.Tests.Protos;

namespace Overlay.Tests.Grpc;

/// <summary>Answers with what it is told, in the way it is told to.</summary>
internal sealed class EchoService(EchoServer.Observations seen) : Echo.EchoBase
{
    public override async Task<EchoReply> Unary(EchoRequest request, ServerCallContext context)
    {
        seen.Context = context;
        await BehaveAsync(request, context);
        return new EchoReply { Text = request.Text, Payload = request.Payload };
    }

    public override async Task<EchoReply> Collect(
        IAsyncStreamReader<EchoRequest> requestStream, ServerCallContext context)
    {
        StringBuilder all = new();
        await foreach (EchoRequest request in requestStream.ReadAllAsync(context.CancellationToken))
        {
            await BehaveAsync(request, context);
            all.Append(request.Text);
        }

        return new EchoReply { Text = all.ToString() };
    }

    public override async Task Repeat(
        EchoRequest request, IServerStreamWriter<EchoReply> responseStream, ServerCallContext context)
    {
        try
        {
            for (uint i = 0; i < request.Count; i++)
            {
                await responseStream.WriteAsync(new EchoReply { Text = request.Text, Index = i });
            }

            await BehaveAsync(request, context);
        }
        finally
        {
            if (context.CancellationToken.IsCancellationRequested)
            {
                seen.Cancelled.TrySetResult();
            }
        }
    }

    public override async Task Chat(
        IAsyncStreamReader<EchoRequest> requestStream,
        IServerStreamWriter<EchoReply> responseStream,
        ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
        {
            await BehaveAsync(requestStream.Current, context);
            await responseStream.WriteAsync(new EchoReply { Text = requestStream.Current.Text });
        }
    }

    private async Task BehaveAsync(EchoRequest request, ServerCallContext context)
    {
        switch (request.Behaviour)
        {
            case "wait":
                seen.Started.TrySetResult();
                await WaitForCancellationAsync(context.CancellationToken);
                break;
            case "deaf":
                // Ignores its token until the test lets go.
                await seen.Release.Task;
                break;
            case "throw":
                throw new InvalidDataException("a secret");
            case "fail":
                Metadata trailers = new() { { "reason", "asked" }, { "grpc-status-details-bin", [1, 2, 0xFF] } };
                throw new RpcException(new Status(StatusCode.FailedPrecondition, "größer % als\n1"), trailers);
            case "status":
                context.Status = new Status(StatusCode.Aborted, "chosen");
                break;
            case "headers":
                await context.WriteResponseHeadersAsync(Reflect(context.RequestHeaders));
                context.ResponseTrailers.Add("last", "word");
                break;
            default:
                break;
        }
    }

    private async Task WaitForCancellationAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (cancellationToken.Register(stopped.SetResult))
        {
            await stopped.Task;
        }

        seen.Cancelled.TrySetResult();
        cancellationToken.ThrowIfCancellationRequested();
    }

    private static Metadata Reflect(Metadata requestHeaders)
    {
        Metadata reflected = [];
        foreach (Metadata.Entry entry in requestHeaders)
        {
            if (entry.Key.StartsWith("x-", StringComparison.Ordinal))
            {
                reflected.Add(entry);
            }
        }

        return reflected;
    }
}
