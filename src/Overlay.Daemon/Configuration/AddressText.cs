using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// IP addresses in their usual forms only. The framework's parser also takes "10.1" and "0x7f000001", which in a
/// setting are always mistakes.
/// </summary>
internal static class AddressText
{
    private const int MaximumLength = 64;

    public static bool TryParse(string text, out IPAddress address)
    {
        address = IPAddress.None;
        if (text.Length > MaximumLength || !IPAddress.TryParse(text, out IPAddress? parsed) || text.Contains('['))
        {
            return false;
        }

        if (parsed.AddressFamily == AddressFamily.InterNetwork && parsed.ToString() != text)
        {
            return false;
        }

        address = parsed;
        return true;
    }

    /// <summary>"192.0.2.1:80" or "[2001:db8::1]:80", with a port from 1 to 65535.</summary>
    public static bool TryParseWithPort(string text, out IPEndPoint endpoint)
    {
        endpoint = new(IPAddress.None, 0);
        int colon = text.LastIndexOf(':');
        if (colon <= 0 || !TryParsePort(text.AsSpan(colon + 1), out int port))
        {
            return false;
        }

        string host = text[..colon];
        bool bracketed = host.StartsWith('[') && host.EndsWith(']');
        if (!TryParse(bracketed ? host[1..^1] : host, out IPAddress address)
            || bracketed != (address.AddressFamily == AddressFamily.InterNetworkV6))
        {
            return false;
        }

        endpoint = new(address, port);
        return true;
    }

    /// <summary>
    /// "10.1.0.0/24" or "fd00:1::/64", with no bits set after the length: "10.1.0.7/24" may be meant in two ways, and
    /// the framework's parser would silently drop the 7.
    /// </summary>
    public static bool TryParsePrefix(string text, out IPNetwork prefix)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        prefix = default;
        return slash > 0
            && text.Length - slash is 2 or 3 or 4
            && text.AsSpan(slash + 1).IndexOfAnyExceptInRange('0', '9') < 0
            && TryParse(text[..slash], out IPAddress address)
            && IPNetwork.TryParse(text, out prefix)
            && prefix.BaseAddress.Equals(address);
    }

    public static bool TryParsePort(ReadOnlySpan<char> text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port is >= 1 and <= 65535;

    public static bool IsUnspecified(IPAddress address) =>
        address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
