using Grpc.AspNetCore.Web;
using Grpc.Core;
using Grpc.Wire;
using Microsoft.AspNetCore.Http;

namespace Grpc.AspNetCore.Server;

/// <summary>Decides from its headers whether a request is a call that can be served.</summary>
internal static class ServerAdmission
{
    /// <summary>Answers what is neither gRPC over HTTP/2 nor gRPC-Web with an HTTP status.</summary>
    public static bool IsGrpc(HttpContext http)
    {
        if (!Protocol.IsGrpcContentType(http.Request.ContentType))
        {
            http.Response.StatusCode = StatusCodes.Status415UnsupportedMediaType;
            return false;
        }

        if (!HttpProtocol.IsHttp2(http.Request.Protocol) && http.Features.Get<GrpcWebResponse>() is null)
        {
            http.Response.StatusCode = StatusCodes.Status426UpgradeRequired;
            return false;
        }

        return true;
    }

    /// <summary>Reads the deadline, and refuses what this server cannot do with a gRPC status.</summary>
    public static bool TryAdmit(HttpContext http, out TimeSpan? timeout, out Status refusal)
    {
        timeout = null;
        refusal = Status.DefaultSuccess;
        string? encoding = http.Request.Headers[Protocol.EncodingHeader];
        if (encoding is not (null or "" or Protocol.Identity))
        {
            http.Response.Headers[Protocol.AcceptEncodingHeader] = Protocol.Identity;
            refusal = new Status(
                StatusCode.Unimplemented, "The message encoding is not supported; use 'identity'.");
            return false;
        }

        string? text = http.Request.Headers[Protocol.TimeoutHeader];
        if (text is null)
        {
            return true;
        }

        if (!WireTimeout.TryParse(text, out TimeSpan parsed))
        {
            refusal = new Status(StatusCode.Internal, "The grpc-timeout header is malformed.");
            return false;
        }

        timeout = parsed;
        return true;
    }
}
