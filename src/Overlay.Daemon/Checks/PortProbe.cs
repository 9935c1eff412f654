using System.Net;
using System.Net.Sockets;
using System.Text;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Daemon.Checks;

/// <summary>Asks a port by a socket that was made inside the sandbox: whether it takes a connection, and what GET says there.</summary>
internal static class PortProbe
{
    /// <summary>A status is at the beginning; a server that sends so much before it is none.</summary>
    private const int MostAnswerBytes = 16 * 1024;

    /// <summary>Who closes on a server that still sends makes it see an error: a short answer is taken to its end.</summary>
    private const int MostRestBytes = 64 * 1024;
    private static readonly TimeSpan RestTime = TimeSpan.FromMilliseconds(200);

    /// <exception cref="ProbeFault">It is not well.</exception>
    public static async Task AskAsync(Socket socket, HealthProbe probe, TimeProvider time, CancellationToken cancellationToken)
    {
        try
        {
            IPEndPoint target = new(probe.Address, probe.Port);
            await socket.ConnectAsync(target, cancellationToken);
            if (probe.Kind == HealthKind.Http)
            {
                await SendAsync(socket, Request(target, probe.Path), cancellationToken);
                int status = await ReadStatusAsync(socket, cancellationToken);
                await DrainAsync(socket, time, cancellationToken);
                if (status is < 200 or > 399)
                {
                    throw new ProbeFault($"status {status}");
                }
            }
        }
        catch (SocketException e)
        {
            throw new ProbeFault(Text(e.SocketErrorCode));
        }
    }

    internal static byte[] Request(IPEndPoint target, string path) => Encoding.ASCII.GetBytes(
        $"GET {path} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: overlayd\r\nAccept: */*\r\nConnection: close\r\n\r\n");

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            bytes = bytes[await socket.SendAsync(bytes, cancellationToken)..];
        }
    }

    private static async Task<int> ReadStatusAsync(Socket socket, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MostAnswerBytes];
        int filled = 0;
        while (filled < buffer.Length)
        {
            int count = await socket.ReceiveAsync(buffer.AsMemory(filled), cancellationToken);
            if (count == 0)
            {
                throw new ProbeFault(filled == 0 ? "closed without an answer" : "closed before the end of its status");
            }

            filled += count;
            if (HttpAnswer.TryReadStatus(buffer.AsSpan(0, filled), out int status))
            {
                return status;
            }
        }

        throw new ProbeFault($"no status in {MostAnswerBytes} octets");
    }

    private static async Task DrainAsync(Socket socket, TimeProvider time, CancellationToken cancellationToken)
    {
        using CancellationTokenSource limit = new(RestTime, time);
        using CancellationTokenSource either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        byte[] buffer = new byte[4096];
        try
        {
            for (int rest = MostRestBytes, count = 1; rest > 0 && count > 0; rest -= count)
            {
                count = await socket.ReceiveAsync(buffer, either.Token);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The status is known; how the rest ends is the server's business.
        }
    }

    private static string Text(SocketError error) => error switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "connection reset",
        SocketError.TimedOut => "no answer",
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.AddressNotAvailable => "its address cannot be reached",
        _ => error.ToString(),
    };
}
