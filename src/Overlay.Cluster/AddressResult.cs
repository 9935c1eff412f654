using System.Net;

namespace Overlay.Cluster;

/// <summary>
/// The answer of <see cref="NodeAddresses"/>: an address; or a refusal; or neither, then a manager has to be asked
/// (for a lease if any address will do, for a reservation if one was named).
/// </summary>
public readonly record struct AddressResult(IPAddress? Address, Refusal? Refusal)
{
    public bool NeedsManager => Address is null && Refusal is null;
}
