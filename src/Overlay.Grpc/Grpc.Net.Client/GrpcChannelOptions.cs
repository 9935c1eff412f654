namespace Grpc.Net.Client;

/// <summary>How a channel reaches its server. Keep-alive pings are the handler's: set
/// <see cref="SocketsHttpHandler.KeepAlivePingDelay"/>, <see cref="SocketsHttpHandler.KeepAlivePingTimeout"/> and
/// <see cref="SocketsHttpHandler.KeepAlivePingPolicy"/> on it.</summary>
public sealed class GrpcChannelOptions
{
    /// <summary>The default of <see cref="MaxReceiveMessageSize"/>: 4 MiB.</summary>
    internal const int DefaultMaxReceiveMessageSize = 4 * 1024 * 1024;

    /// <summary>The longest request message in bytes; null for no limit.</summary>
    public int? MaxSendMessageSize { get; set; }

    /// <summary>The longest response message in bytes; null for no limit.</summary>
    public int? MaxReceiveMessageSize { get; set; } = DefaultMaxReceiveMessageSize;

    /// <summary>Opens connections; null for a handler of the channel's own. One that is given stays its giver's,
    /// unless <see cref="DisposeHttpClient"/> is set.</summary>
    public HttpMessageHandler? HttpHandler { get; set; }

    /// <summary>Whether disposing the channel disposes <see cref="HttpHandler"/>.</summary>
    public bool DisposeHttpClient { get; set; }

    /// <summary>Whether a call that is cancelled, or whose deadline passes, throws
    /// <see cref="OperationCanceledException"/> instead of an <see cref="Grpc.Core.RpcException"/>.</summary>
    public bool ThrowOperationCanceledOnCancellation { get; set; }
}
