using System.Net;
using Microsoft.Extensions.Logging;

namespace Overlay.Daemon.Trust;

/// <summary>Tells of every refused peer or call once. What a peer sent, secrets above all, is not told.</summary>
internal sealed partial class RefusalLog(ILogger<RefusalLog> logger)
{
    private long refused;

    public long Count => Interlocked.Read(ref refused);

    public void HandshakeRefused(EndPoint? peer, string reason)
    {
        Interlocked.Increment(ref refused);
        LogHandshake(peer, reason);
    }

    public void CallRefused(EndPoint? peer, string method, string reason)
    {
        Interlocked.Increment(ref refused);
        LogCall(peer, method, reason);
    }

    [LoggerMessage(EventId = 101, Level = LogLevel.Warning, Message = "Refused the certificate of {Peer}: {Reason}")]
    private partial void LogHandshake(EndPoint? peer, string reason);

    [LoggerMessage(EventId = 102, Level = LogLevel.Warning, Message = "Refused {Method} from {Peer}: {Reason}")]
    private partial void LogCall(EndPoint? peer, string method, string reason);
}
