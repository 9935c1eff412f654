using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Overlay.Dataplane;

/// <summary>Addresses as nft lists them.</summary>
internal static class InetText
{
    /// <summary>
    /// As inet_ntop(3) writes it: .NET writes the last 32 bits of some IPv6 addresses (ISATAP) in dotted form.
    /// </summary>
    public static string Of(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetwork)
        {
            return address.ToString();
        }

        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        int bestStart = -1;
        int bestLength = 1;
        for (int i = 0; i < 8; i++)
        {
            int end = i;
            while (end < 8 && bytes[2 * end] == 0 && bytes[(2 * end) + 1] == 0)
            {
                end++;
            }

            if (end - i > bestLength)
            {
                (bestStart, bestLength) = (i, end - i);
            }
        }

        StringBuilder text = new();
        for (int i = 0; i < 8; i++)
        {
            if (i == bestStart)
            {
                text.Append("::");
                i += bestLength - 1;
                continue;
            }

            string colon = text.Length == 0 || text[^1] == ':' ? "" : ":";
            text.Append(CultureInfo.InvariantCulture, $"{colon}{(bytes[2 * i] << 8) | bytes[(2 * i) + 1]:x}");
        }

        return text.ToString();
    }
}
