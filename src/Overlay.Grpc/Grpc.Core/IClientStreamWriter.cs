namespace Grpc.Core;

/// <summary>The client's half of a streaming call.</summary>
public interface IClientStreamWriter<in T> : IAsyncStreamWriter<T>
{
    /// <summary>Half-closes the call: no more messages follow.</summary>
    Task CompleteAsync();
}
