using System.Net;
using System.Net.Sockets;
using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>An attach that waits for a manager's lease or reservation; what it already has is kept meanwhile.</summary>
internal sealed class PendingAttach(AttachCommand command, EndpointId id, Instant deadline)
{
    public AttachCommand Command => command;

    public EndpointId Id => id;

    public Instant Deadline => deadline;

    /// <summary>Set when it is first looked at; a network of the same name made later is another one.</summary>
    public NetworkId Network { get; set; }

    /// <summary>Set with <see cref="Network"/>, for the same reason; null: it is to be of none.</summary>
    public ServiceId? Service { get; set; }

    /// <summary>Request to the manager that it waits for; 0: none.</summary>
    public long WaitingFor { get; set; }

    public int? Segment { get; set; }

    public IPAddress? Ipv4 { get; set; }

    public IPAddress? Ipv6 { get; set; }

    public bool Reserved4 { get; set; }

    public bool Reserved6 { get; set; }

    /// <summary>Leases asked for so far: a manager that leases blocks without a free address must not loop us.</summary>
    public int LeasesAsked { get; set; }

    /// <summary>A manager keeps this address for it.</summary>
    public void Reserve(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            Ipv4 = address;
            Reserved4 = true;
        }
        else
        {
            Ipv6 = address;
            Reserved6 = true;
        }
    }
}
