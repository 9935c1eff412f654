using System.Diagnostics.CodeAnalysis;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Puts services on the paths their methods have.</summary>
public static class GrpcEndpointRouteBuilderExtensions
{
    /// <summary>Serves every method of a service; the service itself comes from the container, per call.</summary>
    public static GrpcServiceEndpointConventionBuilder MapGrpcService<
        [DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.All)] TService>(
        this IEndpointRouteBuilder builder)
        where TService : class
    {
        ArgumentNullException.ThrowIfNull(builder);
        UnknownMethods unknown = builder.ServiceProvider.GetService<UnknownMethods>()
            ?? throw new InvalidOperationException("gRPC is not set up: call services.AddGrpc() first.");
        ServiceBinder<TService> binder = new(builder.ServiceProvider);
        binder.Bind();
        List<IEndpointConventionBuilder> endpoints = [];
        foreach ((IMethod method, RequestDelegate handler) in binder.Methods)
        {
            endpoints.Add(builder.Map(RoutePatternFactory.Parse(method.FullName), handler)
                .WithDisplayName($"gRPC - {method.FullName}")
                .WithMetadata(new GrpcMethodMetadata(typeof(TService), method), new HttpMethodMetadata(["POST"])));
        }

        unknown.Map(builder, [.. binder.Methods.Select(entry => entry.Method.ServiceName).Distinct()]);
        return new GrpcServiceEndpointConventionBuilder(endpoints);
    }
}
