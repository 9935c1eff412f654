using Overlay.Linux.Execution;
using Overlay.Linux.Rtnetlink;

namespace Overlay.Linux;

/// <summary>Whether this host may forward IPv6, which published ports need for clients by it.</summary>
/// <param name="IsOn">False: the host has no IPv6, or it is turned off.</param>
/// <param name="AdvertisedBy">
/// The interface that a default route was learned by from router advertisements, which the kernel does not accept any more once it
/// forwards (Documentation/networking/ip-sysctl.rst, accept_ra): the host would lose its way out. Empty: none, or it forwards already.
/// </param>
public sealed record HostIpv6(bool IsOn, string AdvertisedBy = "")
{
    private const string Everywhere = "net/ipv6/conf/all";

    /// <summary>RTPROT_RA.</summary>
    private const byte ByAdvertisement = 9;

    /// <summary>Ports are served for clients by IPv6.</summary>
    public bool MayForward => IsOn && AdvertisedBy.Length == 0;

    /// <param name="host">The session of the host's namespace, which the calling thread is in.</param>
    internal static HostIpv6 Read(NamespaceSession host)
    {
        if (SysctlFile.Read($"{Everywhere}/disable_ipv6") is not "0")
        {
            return new(IsOn: false);
        }

        if (SysctlFile.Read($"{Everywhere}/forwarding") is "1")
        {
            return new(IsOn: true);
        }

        List<LinkRecord> links = host.Netlink.Dump<LinkRecord>("interfaces", LinkMessage.Dump, LinkRecord.TryParse);
        string? advertised = host.Netlink.Dump<RouteRecord>(
                "routes", static batch => RouteMessage.Dump(batch, Af.Inet6, ByAdvertisement, Rta.MainTable), RouteMessage.TryParse)
            .Where(static r => r.Protocol == ByAdvertisement && r.Destination.PrefixLength == 0)
            .Select(r => links.Find(l => l.Index == r.Device)?.Name).OfType<string>()
            .FirstOrDefault(static name => SysctlFile.Read($"net/ipv6/conf/{name}/accept_ra") is "1");
        return new(IsOn: true, advertised ?? "");
    }
}
