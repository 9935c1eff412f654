using System.Net;
using Grpc.Core;
using Grpc.Wire;

namespace Grpc.Net.Client;

/// <summary>What a failure of HTTP means as a gRPC status (PROTOCOL-HTTP2.md "Errors", http-grpc-status-mapping.md).</summary>
internal static class CallFailure
{
    public static Status Of(Exception error, Uri address)
    {
        for (Exception? cause = error; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case RpcException refusal:
                    return refusal.Status;
                case HttpProtocolException protocol:
                    return new Status(
                        OfHttp2(protocol.ErrorCode), $"The server at {address.Authority} broke off: {protocol.Message}",
                        error);
                default:
                    break;
            }
        }

        return error switch
        {
            HttpRequestException or IOException => new Status(
                StatusCode.Unavailable, $"The server at {address.Authority} is not reachable: {Explain(error)}", error),
            // SocketsHttpHandler's ConnectTimeout.
            OperationCanceledException { InnerException: TimeoutException } => new Status(
                StatusCode.Unavailable, $"The server at {address.Authority} is not reachable: it does not answer.", error),
            // Whoever cancels a call says so before: this is the connection that ended under it.
            OperationCanceledException => new Status(
                StatusCode.Unavailable, $"The connection to the server at {address.Authority} was broken off.", error),
            _ => new Status(StatusCode.Internal, $"The call failed here: {error.Message}", error),
        };
    }

    public static StatusCode OfHttp(HttpStatusCode status) => status switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests => StatusCode.Unavailable,
        HttpStatusCode.BadGateway => StatusCode.Unavailable,
        HttpStatusCode.ServiceUnavailable => StatusCode.Unavailable,
        HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    };

    /// <summary>The status that response headers alone decide; null if the messages and trailers follow.</summary>
    public static Status? OfHeaders(HttpResponseMessage response)
    {
        if (OfFields(response.Headers) is { } trailersOnly)
        {
            return trailersOnly;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            return new Status(
                OfHttp(response.StatusCode), $"The server answered with HTTP status {(int)response.StatusCode}.");
        }

        string? type = response.Content.Headers.ContentType?.ToString();
        if (!Protocol.IsGrpcContentType(type))
        {
            return new Status(
                StatusCode.Unknown, $"The answer's content type is '{type}', so this is no gRPC server.");
        }

        string? encoding = First(response.Headers, Protocol.EncodingHeader);
        return encoding is null or Protocol.Identity
            ? null
            : new Status(StatusCode.Internal, $"The answer's encoding '{encoding}' was not asked for.");
    }

    /// <summary>The status in trailers, or in headers that are all there is; null if there is none.</summary>
    public static Status? OfFields(System.Net.Http.Headers.HttpHeaders fields)
    {
        if (First(fields, Protocol.StatusHeader) is not { } code)
        {
            return null;
        }

        string detail = StatusText.Decode(First(fields, Protocol.MessageHeader) ?? "");
        return int.TryParse(
            code, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture,
            out int number) && number is >= 0 and <= (int)StatusCode.Unauthenticated
            ? new Status((StatusCode)number, detail)
            : new Status(StatusCode.Unknown, detail);
    }

    private static string? First(System.Net.Http.Headers.HttpHeaders fields, string name) =>
        fields.NonValidated.TryGetValues(name, out System.Net.Http.Headers.HeaderStringValues values)
            ? values.FirstOrDefault()
            : null;

    private static StatusCode OfHttp2(long errorCode) => errorCode switch
    {
        0x7 => StatusCode.Unavailable,
        0x8 => StatusCode.Cancelled,
        0xb => StatusCode.ResourceExhausted,
        0xc => StatusCode.PermissionDenied,
        _ => StatusCode.Internal,
    };

    /// <summary>The outer message says what was tried, the innermost why it failed.</summary>
    private static string Explain(Exception error)
    {
        Exception cause = error.GetBaseException();
        return error.Message.Contains(cause.Message, StringComparison.Ordinal)
            ? error.Message
            : $"{error.Message.TrimEnd('.')}: {cause.Message}";
    }
}
