using Microsoft.Extensions.DependencyInjection;

namespace Grpc.AspNetCore.Server;

/// <summary>Where gRPC's own settings continue after <c>AddGrpc</c>.</summary>
public interface IGrpcServerBuilder
{
    IServiceCollection Services { get; }
}
