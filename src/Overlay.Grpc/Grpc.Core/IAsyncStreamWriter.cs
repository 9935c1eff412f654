namespace Grpc.Core;

/// <summary>
/// A stream of messages to write, one at a time: the next write may start when the task of the last has ended.
/// </summary>
public interface IAsyncStreamWriter<in T>
{
    WriteOptions? WriteOptions { get; set; }

    Task WriteAsync(T message);

    Task WriteAsync(T message, CancellationToken cancellationToken) => cancellationToken.CanBeCanceled
        ? throw new NotSupportedException("This writer does not support cancellation of a single write.")
        : WriteAsync(message);
}
