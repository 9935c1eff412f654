namespace Grpc.AspNetCore.Server;

/// <summary>Limits of all services of a process.</summary>
public class GrpcServiceOptions
{
    /// <summary>The default of <see cref="MaxReceiveMessageSize"/>: 4 MiB.</summary>
    internal const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    /// <summary>The longest response message in bytes; null for no limit.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>The longest request message in bytes; null for no limit.</summary>
    public int? MaxReceiveMessageSize { get; set; } = DefaultMaxReceiveMessageSize;

    /// <summary>Whether a client sees the text of an unexpected exception. Off: it may hold secrets.</summary>
    public bool? EnableDetailedErrors { get; set; }

    /// <summary>Whether a service nobody serves is left to the other endpoints instead of being answered with
    /// <see cref="Grpc.Core.StatusCode.Unimplemented"/>.</summary>
    public bool? IgnoreUnknownServices { get; set; }
}
