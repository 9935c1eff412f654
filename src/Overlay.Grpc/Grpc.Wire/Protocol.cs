namespace Grpc.Wire;

/// <summary>The names gRPC gives to HTTP/2 headers (PROTOCOL-HTTP2.md).</summary>
internal static class Protocol
{
    public const string ContentType = "application/grpc";
    public const string Identity = "identity";
    public const string StatusHeader = "grpc-status";
    public const string MessageHeader = "grpc-message";
    public const string TimeoutHeader = "grpc-timeout";
    public const string EncodingHeader = "grpc-encoding";
    public const string AcceptEncodingHeader = "grpc-accept-encoding";
    public const string UserAgent = "grpc-overlay/1.0";

    /// <summary>One byte that says whether the message is compressed, four that say its length.</summary>
    public const int FrameHeaderSize = 5;

    /// <summary><c>application/grpc</c>, alone or followed by a subtype or a parameter.</summary>
    public static bool IsGrpcContentType(ReadOnlySpan<char> contentType)
    {
        if (!contentType.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase))
        {
            return false;
        }

        ReadOnlySpan<char> rest = contentType[ContentType.Length..];
        return rest.IsEmpty || rest[0] is '+' or ';';
    }
}
