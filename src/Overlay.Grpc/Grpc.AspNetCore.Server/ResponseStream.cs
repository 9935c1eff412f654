using Grpc.Core;
using Grpc.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>The messages a service streams.</summary>
internal sealed class ResponseStream<T>(MessageWriter<T> writer, HttpCallContext context) : IServerStreamWriter<T>
{
    public WriteOptions? WriteOptions
    {
        get => context.WriteOptions;
        set => context.WriteOptions = value;
    }

    public Task WriteAsync(T message) => WriteAsync(message, context.CancellationToken);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        context.CancellationToken.ThrowIfCancellationRequested();
        cancellationToken.ThrowIfCancellationRequested();
        if (!cancellationToken.CanBeCanceled || cancellationToken == context.CancellationToken)
        {
            await context.WriteAsync(writer, message, flush: true, context.CancellationToken);
            return;
        }

        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(
            cancellationToken, context.CancellationToken);
        await context.WriteAsync(writer, message, flush: true, either.Token);
    }
}
