using System.Net.Sockets;

namespace Overlay.Daemon.Trust;

/// <summary>
/// How long what was sent may stay without acknowledgement until the kernel ends the connection: TCP_USER_TIMEOUT of tcp(7),
/// the user timeout of RFC 9293 §3.8.3. Retransmissions come at ever longer intervals, so that after some seconds of a cut an
/// old connection is silent for as long again; one made anew is heard at once. What the old one held would come late, too:
/// the heartbeat of a leader that died meanwhile.
/// </summary>
internal static class TcpUserTimeout
{
    /// <summary>Between managers, and between them and agents. A peer that reads nothing for so long loses its connection as well.</summary>
    public static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <summary>
    /// For a connection to be accepted, before any TLS: the kernel asks at once and after a second. Where an address is nobody's any more, as of a manager that
    /// moved, the next one is tried so much sooner than the kernel gives up.
    /// </summary>
    public static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(2);

    /// <summary>TCP_USER_TIMEOUT of linux/tcp.h; the value is in milliseconds.</summary>
    private const int Option = 18;

    /// <summary>Of a connection; of a listener: of all that it accepts.</summary>
    public static void Set(Socket socket) =>
        socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, Option, BitConverter.GetBytes((int)Limit.TotalMilliseconds));

    public static TimeSpan Of(Socket socket)
    {
        Span<byte> value = stackalloc byte[sizeof(int)];
        socket.GetRawSocketOption((int)SocketOptionLevel.Tcp, Option, value);
        return TimeSpan.FromMilliseconds(BitConverter.ToInt32(value));
    }

    /// <summary>As <see cref="SocketsHttpHandler"/> connects by itself, with the limits.</summary>
    /// <exception cref="IOException">Nobody answered in time.</exception>
    public static async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        Socket socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using CancellationTokenSource enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        enough.CancelAfter(ConnectLimit);
        try
        {
            Set(socket);
            await socket.ConnectAsync(context.DnsEndPoint, enough.Token);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            socket.Dispose();
            throw new IOException("it does not answer");
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
