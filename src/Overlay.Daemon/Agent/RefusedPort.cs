using Overlay.Daemon.Cli;
using Overlay.Dataplane;
using Overlay.Linux;

namespace Overlay.Daemon.Agent;

/// <summary>A port that a service publishes and this host does not serve, for clients by one of the families.</summary>
/// <param name="Families">The one.</param>
/// <param name="IsFault">
/// False: nothing is wrong. It is a port of all nodes at an address of one of them, which is another; or the host has no IPv6.
/// </param>
internal sealed record RefusedPort(HostPort Port, IpFamilies Families, string Reason, bool IsFault = true)
{
    public string Text =>
        $"port {PortText.Of(Port.Published, Port.Protocol)}{(Port.Address is null ? "" : $" on {Port.Address}")} of service {Port.Service}"
        + $"{(Families == IpFamilies.Ipv6 && Port.Address is null ? " by IPv6" : "")}: {Reason}";

    /// <summary>Another program has it, or the host has no such address.</summary>
    public static RefusedPort Taken(HostPort port, PortClaim claim, int errno) => new(
        port,
        claim.Families,
        errno switch
        {
            Linux.Native.Errno.AddressInUse => "another program has it",
            Linux.Native.Errno.AddressNotAvailable => "this host has no such address",
            _ => Linux.Native.Errno.Describe(errno),
        },
        IsFault: !port.IsMesh || errno != Linux.Native.Errno.AddressNotAvailable);

    /// <summary>The host may not forward IPv6.</summary>
    public static RefusedPort WithoutIpv6(HostPort port, HostIpv6 host) => host.IsOn
        ? new(
            port, IpFamilies.Ipv6,
            $"{host.AdvertisedBy} has its default route from router advertisements, which end where a host forwards; to have both, "
                + $"set net.ipv6.conf.{host.AdvertisedBy}.accept_ra=2")
        : new(port, IpFamilies.Ipv6, "this host has no IPv6", IsFault: port.Address is not null && !port.IsMesh);

    /// <summary>The same port for the same reason, whatever its backends.</summary>
    public bool IsSameAs(RefusedPort other) => Text == other.Text;
}
