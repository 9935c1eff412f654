using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Overlay.Tests.Daemon.Names;

/// <summary>A name server on loopback that answers every query as told, over UDP and, on the same port, TCP.</summary>
internal sealed class FakeUpstream : IAsyncDisposable
{
    private readonly Func<byte[], byte[]?> answer;
    private readonly Socket udp;
    private readonly Socket tcp;
    private readonly Task loops;
    private int queries;

    /// <param name="answer">The response to a query; null: silence.</param>
    public FakeUpstream(Func<byte[], byte[]?> answer)
    {
        this.answer = answer;
        (udp, tcp) = LoopbackSockets.Bind();
        loops = Task.WhenAll(ServeUdpAsync(), ServeTcpAsync());
    }

    public IPEndPoint Address => (IPEndPoint)udp.LocalEndPoint!;

    public int Queries => Volatile.Read(ref queries);

    /// <summary>The query as an answer without records and with this code.</summary>
    public static byte[] Respond(byte[] query, int code = 0)
    {
        byte[] response = [.. query];
        BinaryPrimitives.WriteUInt16BigEndian(response.AsSpan(2), (ushort)(0x8180 | code));
        return response;
    }

    public async ValueTask DisposeAsync()
    {
        udp.Dispose();
        tcp.Dispose();
        await loops;
    }

    private async Task ServeUdpAsync()
    {
        byte[] buffer = new byte[4096];
        try
        {
            while (true)
            {
                SocketReceiveFromResult received = await udp.ReceiveFromAsync(buffer, new IPEndPoint(IPAddress.Any, 0));
                Interlocked.Increment(ref queries);
                if (answer(buffer[..received.ReceivedBytes]) is { } response)
                {
                    await udp.SendToAsync(response, received.RemoteEndPoint);
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    private async Task ServeTcpAsync()
    {
        try
        {
            while (true)
            {
                using Socket connection = await tcp.AcceptAsync();
                await using NetworkStream stream = new(connection);
                byte[] query = await ReadFramedAsync(stream);
                Interlocked.Increment(ref queries);
                if (answer(query) is { } response)
                {
                    await stream.WriteAsync(Frame(response));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Disposed.
        }
    }

    public static byte[] Frame(byte[] message) => [(byte)(message.Length >> 8), (byte)message.Length, .. message];

    public static async Task<byte[]> ReadFramedAsync(Stream stream)
    {
        byte[] length = new byte[2];
        await stream.ReadExactlyAsync(length);
        byte[] message = new byte[BinaryPrimitives.ReadUInt16BigEndian(length)];
        await stream.ReadExactlyAsync(message);
        return message;
    }
}
