using System.Net;
using System.Net.Sockets;
using Overlay.Daemon.Configuration;

namespace Overlay.Daemon.Cli;

/// <summary>The address of a manager as given to join: a host name or an address, with or without a port.</summary>
internal static class ManagerAddress
{
    private const string UsualPort = "2377";

    /// <summary>
    /// Reads it and completes the port: "10.0.0.1" becomes "10.0.0.1:2377", "fd00::1" "[fd00::1]:2377".
    /// </summary>
    public static bool TryParse(string text, out string address)
    {
        address = text;
        if (AddressText.TryParse(text, out IPAddress bare))
        {
            address = bare.AddressFamily == AddressFamily.InterNetworkV6
                ? $"[{text}]:{UsualPort}"
                : $"{text}:{UsualPort}";
            return !AddressText.IsUnspecified(bare);
        }

        if (AddressText.TryParseWithPort(text, out IPEndPoint endpoint))
        {
            return !AddressText.IsUnspecified(endpoint.Address);
        }

        int colon = text.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0)
        {
            address = $"{text}:{UsualPort}";
        }

        string host = colon < 0 ? text : text[..colon];
        return (colon < 0 || AddressText.TryParsePort(text.AsSpan(colon + 1), out _))
            && SettingText.HostName(host, out _, out _)
            && !host.All(static c => char.IsAsciiDigit(c) || c == '.');
    }
}
