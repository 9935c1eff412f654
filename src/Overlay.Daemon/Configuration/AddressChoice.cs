using System.Net;

namespace Overlay.Daemon.Configuration;

/// <summary>The outcome of <see cref="AddressSelection"/>.</summary>
internal abstract record AddressChoice
{
    private AddressChoice()
    {
    }

    /// <summary>An address of this host; port 0 means that the request named none.</summary>
    public sealed record Chosen(IPAddress Address, int Port) : AddressChoice;

    /// <summary>No choice could be made; the three texts go into an error as they are.</summary>
    public sealed record Refused(string What, string Why, string Next) : AddressChoice;
}
