using System.Net;
using System.Net.Sockets;

namespace Overlay.Dataplane;

/// <summary>Bytes that fit inside the overlay, from what fits through the underlay (RFC 7348 §5).</summary>
public static class OverlayMtu
{
    /// <summary>Outer IPv4 20 + UDP 8 + VXLAN 8 + inner Ethernet 14.</summary>
    public const int Ipv4Overhead = 50;

    /// <summary>Outer IPv6 40 + UDP 8 + VXLAN 8 + inner Ethernet 14.</summary>
    public const int Ipv6Overhead = 70;

    public static int For(int underlayMtu, IPAddress vtep) =>
        underlayMtu - (vtep.AddressFamily == AddressFamily.InterNetwork ? Ipv4Overhead : Ipv6Overhead);
}
