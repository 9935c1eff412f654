using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Routing;

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
        throw new NotSupportedException("Serving over HTTP/2 is not built yet.");
    }
}
