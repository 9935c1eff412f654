namespace Overlay.Daemon.Configuration;

/// <summary>What an address is wanted for; the flag of that name is mentioned in refusals.</summary>
internal enum AddressUse
{
    /// <summary>Where others reach this node.</summary>
    Advertise,

    /// <summary>Where the manager API listens; may be an unspecified address.</summary>
    Listen,

    /// <summary>The local address of VXLAN packets.</summary>
    DataPath,
}
