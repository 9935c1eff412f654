using System.Net;
using System.Net.Sockets;
using Overlay.Linux.Native;

namespace Overlay.Linux.Sockets;

/// <summary>Who sent a datagram, as the kernel has it.</summary>
public readonly unsafe struct DatagramSource
{
    private readonly SockAddrIn name;

    internal DatagramSource(in SockAddrIn name) => this.name = name;

    /// <summary>A copy, for an answer that comes later.</summary>
    public SocketAddress ToSocketAddress()
    {
        bool ipv6 = name.Family == Libc.FamilyInet6;
        int length = ipv6 ? Libc.AddressInet6Length : Libc.AddressInetLength;
        SocketAddress address = new(ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, length);
        fixed (SockAddrIn* from = &name)
        {
            new ReadOnlySpan<byte>(from, length).CopyTo(address.Buffer.Span);
        }

        return address;
    }
}
