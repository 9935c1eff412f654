using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace Overlay.Daemon.Errors;

/// <summary>A refusal written by a middleware: the status is among the headers (gRPC over HTTP/2, Responses).</summary>
internal static class TrailersOnly
{
    public static void Write(HttpResponse response, RpcException error)
    {
        response.StatusCode = StatusCodes.Status200OK;
        response.ContentType = "application/grpc";
        response.Headers["grpc-status"] = ((int)error.StatusCode).ToString(CultureInfo.InvariantCulture);
        response.Headers["grpc-message"] = Uri.EscapeDataString(error.Status.Detail);
        foreach (Metadata.Entry entry in error.Trailers.Where(static e => e.Key == RefusalStatus.Trailer || !IsReserved(e.Key)))
        {
            response.Headers[entry.Key] = entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes).TrimEnd('=') : entry.Value;
        }
    }

    private static bool IsReserved(string key) => key.StartsWith("grpc-", StringComparison.Ordinal);
}
