using System.Globalization;
using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Published ports in words, as Docker has them: "published=8080,target=80,protocol=tcp,mode=ingress" with ip, interface and
/// node-label besides, or "[8080:]80[/udp]".
/// </summary>
internal static class PortText
{
    public static string Of(long port, PortProtocol protocol) =>
        string.Create(CultureInfo.InvariantCulture, $"{port}/{protocol.ToString().ToLowerInvariant()}");

    /// <summary>"*:8080->80/tcp", where it is restricted to, and "(host)" where nodes with backends alone have it.</summary>
    public static string Of(PublishedPort port)
    {
        string where = port.Address.Length == 0 ? "*" : port.Address.Contains(':', StringComparison.Ordinal) ? $"[{port.Address}]" : port.Address;
        string more = (port.Mode == PublishMode.Host ? " (host)" : "")
            + (port.Interface.Length > 0 ? $" on {port.Interface}" : "") + (port.NodeLabel.Length > 0 ? $" where {port.NodeLabel}" : "");
        return string.Create(CultureInfo.InvariantCulture, $"{where}:{port.Published}->{Of(port.Target, port.Protocol)}{more}");
    }

    /// <param name="why">What is wrong; empty where nothing is.</param>
    public static PublishedPort? Parse(string text, out string why)
    {
        PublishedPort port = new() { Protocol = PortProtocol.Tcp };
        if (!text.Contains('=', StringComparison.Ordinal))
        {
            string[] halves = text.Split('/');
            string[] numbers = halves[0].Split(':');
            why = halves.Length > 2 || numbers.Length > 2 ? "write [PUBLISHED:]TARGET[/PROTOCOL], or published=…,target=…" : "";
            why = why.Length > 0 ? why : Set(port, "target", numbers[^1]);
            why = why.Length > 0 || numbers.Length == 1 ? why : Set(port, "published", numbers[0]);
            why = why.Length > 0 || halves.Length == 1 ? why : Set(port, "protocol", halves[1]);
            return why.Length == 0 ? port : null;
        }

        SortedSet<string> given = new(StringComparer.Ordinal);
        why = "";
        foreach (string[] pair in text.Split(',').Select(static part => part.Split('=', 2)))
        {
            why = pair.Length < 2 ? $"'{pair[0]}' has no value"
                : !given.Add(pair[0]) ? $"{pair[0]} is given twice"
                : Set(port, pair[0], pair[1]);
            if (why.Length > 0)
            {
                return null;
            }
        }

        why = given.Contains("target") ? "" : "target is missing: the port that the backends listen on";
        return why.Length == 0 ? port : null;
    }

    /// <summary>"80" or "80/udp": a target, and maybe a protocol.</summary>
    public static PublishedTarget? ParseTarget(string text)
    {
        string[] halves = text.Split('/');
        PublishedPort port = new();
        return halves.Length <= 2 && Set(port, "target", halves[0]).Length == 0
            && (halves.Length == 1 || Set(port, "protocol", halves[1]).Length == 0)
            ? new() { Target = port.Target, Protocol = port.Protocol }
            : null;
    }

    private static string Set(PublishedPort port, string key, string value)
    {
        switch (key)
        {
            case "published" or "target":
                if (!uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number) || number is 0 or > ushort.MaxValue)
                {
                    return $"{key} is '{value}': use a port from 1 to 65535";
                }

                (port.Published, port.Target) = key == "target" ? (port.Published, number) : (number, port.Target);
                return "";
            case "protocol":
                port.Protocol = value switch
                {
                    "tcp" => PortProtocol.Tcp,
                    "udp" => PortProtocol.Udp,
                    "sctp" => PortProtocol.Sctp,
                    _ => PortProtocol.Unspecified,
                };
                return port.Protocol == PortProtocol.Unspecified ? $"protocol is '{value}': use tcp, udp or sctp" : "";
            case "mode":
                port.Mode = value switch
                {
                    "host" => PublishMode.Host,
                    "ingress" => PublishMode.Ingress,
                    _ => PublishMode.Unspecified,
                };
                return port.Mode == PublishMode.Unspecified ? $"mode is '{value}': use ingress (every node) or host (those with backends)" : "";
            case "ip" or "interface" or "node-label" when value.Length == 0:
                return $"{key} is empty";
            case "ip":
                port.Address = value;
                return "";
            case "interface":
                port.Interface = value;
                return "";
            case "node-label":
                port.NodeLabel = value;
                return "";
            default:
                return $"there is no '{key}': use published, target, protocol, mode, ip, interface and node-label";
        }
    }
}
