using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>
/// The ports that a service publishes: valid, on a network that the outside may reach, and no other's on any node that both
/// could be on. One without a number gets the first that is free.
/// </summary>
/// <param name="what">The sentence that says what failed.</param>
internal sealed class PublishedPorts(ClusterState state, NetworkObject network, string serviceId, string what)
{
    public const int FirstAutomatic = 30000;
    public const int LastAutomatic = 32767;

    private const int MostInterfaceCharacters = 15;
    private const int MostPort = ushort.MaxValue;

    private const string Example = "`--publish published=8080,target=80`";

    private readonly ILookup<(PortProtocol, uint), (ServiceObject Service, PublishedPort Port)> others = state.Services
        .Where(s => s.Id != serviceId).SelectMany(static s => s.Ports, static (s, p) => (s, p)).ToLookup(static e => (e.p.Protocol, e.p.Published));

    /// <summary>The ports that stay, then the new ones.</summary>
    public Outcome<ImmutableArray<PublishedPort>> With(IEnumerable<PublishedPort> kept, IEnumerable<PublishedPort> added)
    {
        List<PublishedPort> ports = [.. kept];
        foreach (PublishedPort asked in added)
        {
            PublishedPort port = asked.Clone();
            port.Protocol = port.Protocol == PortProtocol.Unspecified ? PortProtocol.Tcp : port.Protocol;
            port.Mode = port.Mode == PublishMode.Unspecified ? PublishMode.Ingress : port.Mode;
            if (Fault(port) is { } invalid)
            {
                return invalid;
            }

            if (port.Published == 0 && !TryChoose(port, ports))
            {
                return new Refusal(
                    RefusalKind.Exhausted, what, $"Every port from {FirstAutomatic} to {LastAutomatic} is published.",
                    "Give the port a number of its own, as in " + Example + ".");
            }

            if (ConflictOf(port, ports) is { } conflict)
            {
                return conflict;
            }

            ports.Add(port);
        }

        return ports.Count <= Limits.PortsOfService
            ? ports.ToImmutableArray()
            : new Refusal(
                RefusalKind.Invalid, what, $"A service publishes {Limits.PortsOfService} ports at most.", "Publish fewer, or make another service.");
    }

    /// <summary>"80/tcp".</summary>
    public static string Text(uint port, PortProtocol protocol) => $"{port}/{protocol.ToString().ToLowerInvariant()}";

    private Refusal? Fault(PublishedPort port)
    {
        string? why =
            !Enum.IsDefined(port.Mode) ? "This version of overlayd does not know that mode of publishing."
            : !Enum.IsDefined(port.Protocol) ? "This version of overlayd does not know that protocol."
            : port.Target is 0 or > MostPort ? $"The target port {port.Target} is not one: use 1 to {MostPort}."
            : port.Published > MostPort ? $"The published port {port.Published} is not one: use 1 to {MostPort}."
            : port.Interface.Length > 0 && !IsInterface(port.Interface) ? $"{Refusal.Quote(port.Interface)} is no name of an interface."
            : port.Address.Length > 0 ? AddressFault(port.Address)
            : port.NodeLabel.Length > 0 && !IsLabel(port.NodeLabel) ? $"{Refusal.Quote(port.NodeLabel)} is no label of a node, like zone=a."
            : null;
        if (why is not null)
        {
            return new(RefusalKind.Invalid, what, why, $"Write it like {Example}.");
        }

        return network.Internal
            ? new(
                RefusalKind.Invalid, what, $"Network {network.Name} is internal: nothing outside it reaches its endpoints.",
                "Leave `--publish` out, or make the service on a network without --internal.")
            : null;
    }

    private static string? AddressFault(string text) =>
        !IPAddress.TryParse(text, out IPAddress? address) || address.ToString() != text ? $"{Refusal.Quote(text)} is no IP address."
        : address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any) ? $"{text} means every address: leave `ip` out."
        : address.IsIPv6LinkLocal ? $"{text} is an address of one link, whose clients no backend could answer."
        : address.Equals(IPAddress.IPv6Loopback) ? "Clients at ::1 cannot be led to a backend: use 127.0.0.1."
        : address.IsIPv6Multicast || address.IsIPv4MappedToIPv6
            || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes()[0] >= 224) ? $"{text} is no address of a node."
        : null;

    private static bool IsInterface(string text) =>
        text.Length <= MostInterfaceCharacters && text is not ("." or "..")
        && text.All(static c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static bool IsLabel(string text) =>
        text[0] != '=' && LabelRules.Fault([KeyValuePair.Create(text.Split('=', 2)[0], text.Contains('=') ? text.Split('=', 2)[1] : "")], "") is null;

    private bool TryChoose(PublishedPort port, List<PublishedPort> own)
    {
        for (uint number = FirstAutomatic; number <= LastAutomatic; number++)
        {
            port.Published = number;
            if (!others[(port.Protocol, number)].Any(o => Overlap(o.Port, port)) && !own.Exists(p => Overlap(p, port)))
            {
                return true;
            }
        }

        port.Published = 0;
        return false;
    }

    private Refusal? ConflictOf(PublishedPort port, List<PublishedPort> own)
    {
        string name = Text(port.Published, port.Protocol);
        if (own.Exists(p => Overlap(p, port)))
        {
            return new(
                RefusalKind.Conflict, what, $"It publishes port {name} already, or twice.",
                "Give each published port once; `service update --publish-rm` takes one away.");
        }

        return others[(port.Protocol, port.Published)].FirstOrDefault(o => Overlap(o.Port, port)).Service is { } holder
            ? new(
                RefusalKind.Conflict, what, $"Service {holder.Name} publishes port {name}.",
                $"Choose another published port, or none for a free one; or type `overlayd service update --publish-rm "
                    + $"{others[(port.Protocol, port.Published)].First(o => Overlap(o.Port, port)).Port.Target} {holder.Name}` first.")
            : null;
    }

    /// <summary>
    /// Whether a packet on some node could be meant for both. Between nodes a port of all nodes is known by its number alone.
    /// </summary>
    private static bool Overlap(PublishedPort left, PublishedPort right) =>
        left.Protocol == right.Protocol && left.Published == right.Published
        && ((left.Mode == PublishMode.Ingress && right.Mode == PublishMode.Ingress) || AreMet(left, right));

    private static bool AreMet(PublishedPort left, PublishedPort right) =>
        (left.Address.Length == 0 || right.Address.Length == 0 || left.Address == right.Address)
        && (left.Interface.Length == 0 || right.Interface.Length == 0 || left.Interface == right.Interface)
        && !AreOnOtherNodes(left.NodeLabel, right.NodeLabel);

    /// <summary>A node has one value for a key.</summary>
    private static bool AreOnOtherNodes(string left, string right) =>
        left.Split('=', 2) is [var key, var value] && right.Split('=', 2) is [var otherKey, var otherValue] && key == otherKey && value != otherValue;
}
