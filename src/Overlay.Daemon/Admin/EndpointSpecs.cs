using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>Reads what an operator asks to attach; whatever does not make sense by itself is refused here.</summary>
internal static class EndpointSpecs
{
    private const int MaxPath = 4096;
    private const int MaxInterfaceName = 15;

    public static Outcome<AttachCommand> From(AttachRequest request)
    {
        Outcome<NamespaceName> sandbox = SandboxName(request.Sandbox);
        if (sandbox.Refusal is { } refusal)
        {
            return refusal;
        }

        if (request.Network.Length == 0)
        {
            return Invalid("No network was named.", "The name is empty.", "Type `overlayd network ls` to see the names.");
        }

        Outcome<Wrapped> ipv4 = Parse("--ip", request.Ipv4, AddressFamily.InterNetwork);
        Outcome<Wrapped> ipv6 = Parse("--ip6", request.Ipv6, AddressFamily.InterNetworkV6);
        if ((ipv4.Refusal ?? ipv6.Refusal) is { } badAddress)
        {
            return badAddress;
        }

        MacAddress? mac = null;
        if (request.Mac.Length > 0)
        {
            if (!MacAddress.TryParse(request.Mac, out MacAddress parsed) || parsed.IsMulticast || parsed.IsZero)
            {
                return Invalid(
                    $"--mac {Refusal.Quote(request.Mac)} is not usable.", "It is not a unicast Ethernet address.",
                    "Give six hexadecimal octets such as 02:42:0a:00:00:05.");
            }

            mac = parsed;
        }

        if (request.Interface.Length > 0 && !IsInterfaceName(request.Interface))
        {
            return Invalid(
                $"--interface {Refusal.Quote(request.Interface)} is not usable.",
                "An interface name has 1 to 15 printable characters without '/', ':' and spaces.", "Give a name such as eth0.");
        }

        if (request.Weight > EndpointState.MaxWeight || (request.Weight > 0 && request.Service.Length == 0))
        {
            return Invalid(
                $"The weight {request.Weight} is not usable.",
                $"A backend of a service has a weight from 1 to {EndpointState.MaxWeight}, and nothing else has one.",
                "Give it behind the service's name, as in `--service web:10`.");
        }

        if (request.HealthCommand.Length > 0 && HealthCommandFault(request) is { } badCommand)
        {
            return badCommand;
        }

        return new AttachCommand
        {
            RequestId = 0,
            Network = request.Network,
            Sandbox = sandbox.Value,
            SandboxText = request.Sandbox,
            Name = request.Name,
            Aliases = [.. request.Aliases],
            Ipv4 = ipv4.Value.Value,
            Ipv6 = ipv6.Value.Value,
            Mac = mac,
            Interface = request.Interface,
            Service = request.Service,
            Weight = (int)request.Weight,
            HealthCommand = request.HealthCommand,
        };
    }

    private static Refusal? HealthCommandFault(AttachRequest request) =>
        request.Service.Length == 0
            ? Invalid(
                "The endpoint gets no health check.", "Health decides on the names of a service, and no service is named.",
                "Name the one that it is a backend of with `--service`, or leave `--health-cmd` out.")
        : request.HealthCommand.Length > EndpointState.MaxHealthCommand || request.HealthCommand.Contains('\0')
            || string.IsNullOrWhiteSpace(request.HealthCommand)
            ? Invalid(
                "The endpoint gets no health check.", $"A command has 1 to {EndpointState.MaxHealthCommand} characters, and is not blank.",
                "Write what is longer into a file, and name that with `--health-cmd`.")
        : null;

    /// <summary>A name under /run/netns, the path of a namespace file, or a PID.</summary>
    public static Outcome<NamespaceName> SandboxName(string text)
    {
        if (text.StartsWith('/'))
        {
            return text.Length <= MaxPath && !text.Contains('\0') && !text.Split('/').Contains("..")
                ? new NamespaceName(text)
                : Invalid($"The path {Refusal.Quote(text)} is not usable.", "It is too long or leads upwards.", "Give the plain path of a namespace file.");
        }

        if (text.Length > 0 && text.All(char.IsAsciiDigit))
        {
            return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && pid > 0
                ? new NamespaceName($"/proc/{pid}/ns/net")
                : Invalid($"{Refusal.Quote(text)} is not a PID.", "It is out of range.", "Give the number of a running process.");
        }

        return NewSandboxName(text);
    }

    /// <summary>A name that a namespace of the operator's may have.</summary>
    public static Outcome<NamespaceName> NewSandboxName(string text)
    {
        bool valid = text.Length is > 0 and <= 63 && char.IsAsciiLetter(text[0])
            && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
        if (!valid)
        {
            return Invalid(
                $"{Refusal.Quote(text)} is not a sandbox name.",
                "A name begins with a letter and has up to 63 letters, digits, '-', '_' and '.'.",
                "Choose such a name, or give the path of a namespace or a PID.");
        }

        return text.StartsWith("ov-", StringComparison.Ordinal)
            ? Invalid($"{Refusal.Quote(text)} is not a sandbox name.", "Names that begin with 'ov-' are overlayd's own.", "Choose another name.")
            : new NamespaceName(text);
    }

    private static bool IsInterfaceName(string text) =>
        text.Length <= MaxInterfaceName && text is not ("." or ".." or "lo" or "ovgw")
        && text.All(static c => char.IsAscii(c) && !char.IsControl(c) && c is not ('/' or ':' or ' ' or '%'));

    private static Outcome<Wrapped> Parse(string flag, string text, AddressFamily family) =>
        text.Length == 0
            ? new Wrapped(null)
            : IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == family
                ? new Wrapped(address)
                : Invalid(
                    $"{flag} {Refusal.Quote(text)} is not usable.",
                    family == AddressFamily.InterNetwork ? "It is not an IPv4 address." : "It is not an IPv6 address.",
                    "Give one address inside the network's subnet, without a prefix length.");

    private static Refusal Invalid(string what, string why, string next) => new(RefusalKind.Invalid, what, why, next);

    /// <summary>An address, or none was asked for.</summary>
    private sealed record Wrapped(IPAddress? Value);
}
