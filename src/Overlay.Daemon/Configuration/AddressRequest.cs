using System.Net;
using System.Net.Sockets;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// What a user wrote for an address: an IP address or the name of an interface, and maybe a port
/// (<c>eth0</c>, <c>eth0:2377</c>, <c>192.0.2.1</c>, <c>[2001:db8::1]:2377</c>, <c>2001:db8::1</c>).
/// Exactly one of <see cref="Address"/> and <see cref="Interface"/> is set; port 0 means none was given.
/// </summary>
internal sealed record AddressRequest(IPAddress? Address, string? Interface, int Port)
{
    /// <summary>IFNAMSIZ of linux/if.h less the terminating zero.</summary>
    private const int LongestInterfaceName = 15;

    public static bool TryParse(string text, out AddressRequest request)
    {
        request = new(null, null, 0);
        if (AddressText.TryParse(text, out IPAddress address))
        {
            request = new(address, null, 0);
            return true;
        }

        if (AddressText.TryParseWithPort(text, out IPEndPoint endpoint))
        {
            request = new(endpoint.Address, null, endpoint.Port);
            return true;
        }

        if (text.StartsWith('[') && text.EndsWith(']') && AddressText.TryParse(text[1..^1], out IPAddress bracketed)
            && bracketed.AddressFamily == AddressFamily.InterNetworkV6)
        {
            request = new(bracketed, null, 0);
            return true;
        }

        int colon = text.LastIndexOf(':');
        int port = 0;
        string name = colon < 0 ? text : text[..colon];
        if ((colon >= 0 && !AddressText.TryParsePort(text.AsSpan(colon + 1), out port)) || !IsInterfaceName(name))
        {
            return false;
        }

        request = new(null, name, port);
        return true;
    }

    /// <summary>A name the kernel accepts (dev_valid_name), and that cannot be a mistyped address.</summary>
    private static bool IsInterfaceName(string name) =>
        name.Length is >= 1 and <= LongestInterfaceName
        && name is not ("." or "..")
        && !name.All(static c => char.IsAsciiDigit(c) || c == '.')
        && !name.Any(static c => c is '/' or ':' or '[' or ']' || char.IsWhiteSpace(c) || char.IsControl(c));
}
