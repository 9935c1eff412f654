using System.Buffers.Binary;
using System.Net.Sockets;
using System.Threading.Channels;
using Overlay.Dns;

namespace Overlay.Daemon.Names;

/// <summary>
/// The socket of one question to one server. It is connected, so that the kernel takes only the server's packets and
/// reports an unreachable one. What arrives goes to the forwarder's inbox, until the forwarder disposes this.
/// </summary>
internal sealed class UpstreamSocket(UpstreamSend send, ChannelWriter<ForwarderInput> inbox) : IDisposable
{
    private const int MaxUdpPacket = 4096;

    /// <summary>Packets taken from one socket: a flood of forgeries does not go on for long.</summary>
    private const int MaxPackets = 32;

    private readonly Socket socket = send.Tcp
        ? new(send.Server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
        : new(send.Server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };

    /// <summary>Ends after the last input was given; never fails.</summary>
    public Task Finished { get; private set; } = Task.CompletedTask;

    /// <returns>False: the server can not be reached from here.</returns>
    public bool TryStart(CancellationToken cancellationToken)
    {
        try
        {
            if (!send.Tcp)
            {
                socket.Connect(send.Server);
                socket.Send(send.Packet);
            }
        }
        catch (SocketException)
        {
            return false;
        }

        Finished = RunAsync(cancellationToken);
        return true;
    }

    public void Dispose() => socket.Dispose();

    private async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            await (send.Tcp ? ExchangeAsync(cancellationToken) : ReceiveAsync(cancellationToken));
        }
        catch (Exception e) when (e is SocketException or EndOfStreamException or IOException)
        {
            // Refused, unreachable or hung up: the next server's turn, unless the question is over anyway.
            inbox.TryWrite(new ForwarderInput.Failed(send.Attempt));
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
        {
            // The question is over.
        }
    }

    private async Task ReceiveAsync(CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[MaxUdpPacket];
        for (int i = 0; i < MaxPackets; i++)
        {
            int length = await socket.ReceiveAsync(buffer, SocketFlags.None, cancellationToken);
            inbox.TryWrite(new ForwarderInput.Packet(send.Attempt, send.Server, buffer[..length]));
        }
    }

    /// <summary>Over TCP a length goes before each message (RFC 1035 §4.2.2).</summary>
    private async Task ExchangeAsync(CancellationToken cancellationToken)
    {
        await socket.ConnectAsync(send.Server, cancellationToken);
        await using NetworkStream stream = new(socket, ownsSocket: false);
        byte[] framed = new byte[2 + send.Packet.Length];
        BinaryPrimitives.WriteUInt16BigEndian(framed, (ushort)send.Packet.Length);
        send.Packet.CopyTo(framed, 2);
        await stream.WriteAsync(framed, cancellationToken);
        await stream.ReadExactlyAsync(framed.AsMemory(0, 2), cancellationToken);
        byte[] content = new byte[BinaryPrimitives.ReadUInt16BigEndian(framed)];
        await stream.ReadExactlyAsync(content, cancellationToken);
        inbox.TryWrite(new ForwarderInput.Packet(send.Attempt, send.Server, content));
    }
}
