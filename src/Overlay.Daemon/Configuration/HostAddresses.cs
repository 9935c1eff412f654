using System.Net.NetworkInformation;

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
}
