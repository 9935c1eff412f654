namespace Grpc.Core;

/// <summary>A stream of messages to read: <see cref="Current"/> is valid after a true <see cref="MoveNext"/>.</summary>
public interface IAsyncStreamReader<out T>
{
    T Current { get; }

    Task<bool> MoveNext(CancellationToken cancellationToken);
}
