using Grpc.Core;

namespace Grpc.AspNetCore.Server;

/// <summary>On the endpoint of every method: which one it is. Middleware decides by it who may call.</summary>
public sealed class GrpcMethodMetadata(Type serviceType, IMethod method)
{
    public Type ServiceType { get; } = serviceType;

    public IMethod Method { get; } = method;
}
