using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Grpc.AspNetCore.Server;

/// <summary>Answers calls of methods and services that nobody serves, and leaves other requests alone.</summary>
internal sealed class UnknownMethods(IOptions<GrpcServiceOptions> options, ILogger<UnknownMethods> logger)
{
    private readonly HashSet<string> _services = new(StringComparer.Ordinal);
    private bool _isServiceMapped;

    public void Map(IEndpointRouteBuilder builder, IReadOnlyList<string> serviceNames)
    {
        foreach (string name in serviceNames)
        {
            if (_services.Add(name))
            {
                Map(builder, $"{name}/{{unknownMethod}}", int.MaxValue - 1, "Method is unimplemented.");
            }
        }

        if (!_isServiceMapped && options.Value.IgnoreUnknownServices != true)
        {
            _isServiceMapped = true;
            Map(builder, "{unknownService}/{unknownMethod}", int.MaxValue, "Service is unimplemented.");
        }
    }

    private void Map(IEndpointRouteBuilder builder, string pattern, int order, string detail)
    {
        Method<object, object> anything = new(MethodType.DuplexStreaming, "unknown", "unknown", null!, null!);
        ServerCall call = new(
            anything, options.Value, TimeProvider.System, logger,
            _ => throw new RpcException(new Status(StatusCode.Unimplemented, detail)));
        RoutePattern route = RoutePatternFactory.Parse(
            pattern, defaults: null, new RouteValueDictionary { ["unknownMethod"] = new GrpcRequest() });
        builder.Map(route, call.HandleAsync)
            .WithDisplayName($"gRPC - {detail}")
            .WithMetadata(new HttpMethodMetadata(["POST"]))
            .Add(endpoint => ((RouteEndpointBuilder)endpoint).Order = order);
    }

    private sealed class GrpcRequest : IRouteConstraint
    {
        public bool Match(
            HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values,
            RouteDirection routeDirection) =>
            httpContext is not null && Protocol.IsGrpcContentType(httpContext.Request.ContentType);
    }
}
