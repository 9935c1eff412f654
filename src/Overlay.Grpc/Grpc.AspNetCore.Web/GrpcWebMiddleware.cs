using Grpc.Wire;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Grpc.AspNetCore.Web;

/// <summary>
/// Makes a call of gRPC-Web (PROTOCOL-WEB.md of the gRPC project), which may come by HTTP/1.1, look like any other, and
/// its end look like gRPC-Web again. The base64 variant for browsers is not served.
/// </summary>
internal sealed class GrpcWebMiddleware(GrpcWebOptions options, RequestDelegate next)
{
    private const string WebContentType = "application/grpc-web";

    public Task InvokeAsync(HttpContext http) =>
        options.DefaultEnabled && HttpMethods.IsPost(http.Request.Method) && SubtypeOf(http.Request.ContentType) is { } subtype
            ? ServeAsync(http, subtype)
            : next(http);

    private async Task ServeAsync(HttpContext http, string subtype)
    {
        http.Request.ContentType = Protocol.ContentType + subtype;
        GrpcWebResponse response = new(http.Features.GetRequiredFeature<IHttpResponseBodyFeature>());
        http.Features.Set(response);
        http.Features.Set<IHttpResponseBodyFeature>(response);
        http.Features.Set<IHttpResponseTrailersFeature>(response);
        http.Response.OnStarting(() =>
        {
            if (Protocol.IsGrpcContentType(http.Response.ContentType))
            {
                http.Response.ContentType = WebContentType + subtype;
            }

            return Task.CompletedTask;
        });
        await next(http);
        await response.FinishAsync();
    }

    /// <summary>What follows the name, "+proto" for instance; null: it is something else.</summary>
    private static string? SubtypeOf(string? contentType) =>
        contentType?.StartsWith(WebContentType, StringComparison.OrdinalIgnoreCase) == true
        && contentType[WebContentType.Length..] is var rest && (rest.Length == 0 || rest[0] is '+' or ';')
            ? rest
            : null;
}
