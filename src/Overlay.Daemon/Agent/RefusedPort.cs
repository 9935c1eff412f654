using Overlay.Daemon.Cli;
using Overlay.Dataplane;

namespace Overlay.Daemon.Agent;

/// <summary>A port of this host that a service publishes and another program has.</summary>
internal sealed record RefusedPort(HostPort Port, int Errno)
{
    public string Text =>
        $"port {PortText.Of(Port.Published, Port.Protocol)}{(Port.Address is null ? "" : $" on {Port.Address}")} of service {Port.Service}: "
        + Errno switch
        {
            Linux.Native.Errno.AddressInUse => "another program has it",
            Linux.Native.Errno.AddressNotAvailable => "this host has no such address",
            _ => Linux.Native.Errno.Describe(Errno),
        };

    /// <summary>
    /// False: it is a port of all nodes at an address of one of them, which is another. It is not served here, and nothing is wrong.
    /// </summary>
    public bool IsFault => !Port.IsMesh || Errno != Linux.Native.Errno.AddressNotAvailable;

    /// <summary>The same port for the same reason, whatever its backends.</summary>
    public bool IsSameAs(RefusedPort other) => Text == other.Text;
}
