using System.Net;
using System.Net.Sockets;

namespace Overlay.Tests.Daemon.Names;

/// <summary>A UDP and a TCP socket on one free port: a port that is free for one may be taken for the other.</summary>
internal static class LoopbackSockets
{
    public static (Socket Udp, Socket Tcp) Bind()
    {
        for (int attempt = 0; ; attempt++)
        {
            Socket udp = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            Socket tcp = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                udp.Bind(new IPEndPoint(IPAddress.Loopback, 0));
                tcp.Bind(udp.LocalEndPoint!);
                tcp.Listen(64);
                return (udp, tcp);
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && attempt < 100)
            {
                udp.Dispose();
                tcp.Dispose();
            }
        }
    }
}
