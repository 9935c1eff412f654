using Grpc.Core;
using Grpc.Wire;

namespace Grpc.AspNetCore.Server;

/// <summary>The messages a client streams.</summary>
internal sealed class RequestStream<T>(MessageReader<T> reader, HttpCallContext context) : IAsyncStreamReader<T>
    where T : class
{
    private int _isReading;

    public T Current => reader.Current
        ?? throw new InvalidOperationException("There is no message before MoveNext has returned true.");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref _isReading, 1) != 0)
        {
            throw new InvalidOperationException("A read is still in progress: await it before the next.");
        }

        try
        {
            if (!cancellationToken.CanBeCanceled || cancellationToken == context.CancellationToken)
            {
                return await reader.MoveNextAsync(context.CancellationToken);
            }

            using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(
                cancellationToken, context.CancellationToken);
            return await reader.MoveNextAsync(either.Token);
        }
        catch (IOException error)
        {
            // The stream was reset or the connection broke; for the service that is a cancellation.
            context.Cancel();
            throw new OperationCanceledException("The client has gone.", error, context.CancellationToken);
        }
        finally
        {
            Volatile.Write(ref _isReading, 0);
        }
    }
}
