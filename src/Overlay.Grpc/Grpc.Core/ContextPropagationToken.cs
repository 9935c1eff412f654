namespace Grpc.Core;

/// <summary>
/// A served call's context for calls made on its behalf. Part of <see cref="ServerCallContext"/>'s shape only: pass
/// <see cref="ServerCallContext.Deadline"/> and <see cref="ServerCallContext.CancellationToken"/> on instead.
/// </summary>
public abstract class ContextPropagationToken;
