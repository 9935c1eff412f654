using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;

namespace Overlay.Daemon.Configuration;

/// <summary>The addresses of this host as the kernel lists them now, of interfaces that are up.</summary>
internal static class HostAddresses
{
    public static IReadOnlyList<HostAddress> Current()
    {
        List<HostAddress> all = [];
        foreach (NetworkInterface device in NetworkInterface.GetAllNetworkInterfaces())
        {
            if (device.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown)
            {
                all.AddRange(device.GetIPProperties().UnicastAddresses
                    .Select(unicast => new HostAddress(device.Name, unicast.Address)));
            }
        }

        return all;
    }

    /// <summary>
    /// The address that packets to a peer would leave from, by the kernel's routes; null if there is no route.
    /// </summary>
    public static IPAddress? SourceTowards(IPEndPoint peer)
    {
        try
        {
            // Connecting a datagram socket sends nothing; it only looks the route up.
            using Socket probe = new(peer.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
            probe.Connect(peer);
            return (probe.LocalEndPoint as IPEndPoint)?.Address;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
