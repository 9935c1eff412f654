using Grpc.AspNetCore.Web;

namespace Microsoft.AspNetCore.Builder;

/// <summary>Serves gRPC-Web beside gRPC.</summary>
public static class GrpcWebApplicationBuilderExtensions
{
    /// <summary>Must stand before what looks at the content type of a request or the trailers of a response.</summary>
    public static IApplicationBuilder UseGrpcWeb(this IApplicationBuilder builder, GrpcWebOptions options)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(options);
        return builder.Use(next => new GrpcWebMiddleware(options, next).InvokeAsync);
    }
}
