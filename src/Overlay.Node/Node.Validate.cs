using System.Net;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What an attach or detach may not be, in sentences.</summary>
public sealed partial class Node
{
    /// <summary>Null if the attach makes sense now; it is asked again whenever it goes on.</summary>
    private Refusal? Prepare(PendingAttach attach)
    {
        AttachCommand command = attach.Command;
        Outcome<NetworkObject> found = intent.FindNetwork(command.Network);
        if (found.Refusal is { } unknown)
        {
            return unknown;
        }

        NetworkObject network = found.Value;
        string what = $"Cannot attach {Refusal.Quote(command.SandboxText)} to {network.Name}.";
        NetworkId id = NetworkId.Parse(network.Id);
        if (attach.Network != default && attach.Network != id)
        {
            return new(
                RefusalKind.Conflict, what, "The network was removed and made anew meanwhile.", "Attach again.");
        }

        attach.Network = id;
        if (IngressFault(command, network, what) is { } ofMesh)
        {
            return ofMesh;
        }

        if (!network.Ingress && AvailabilityFault(what) is { } closed)
        {
            return closed;
        }

        if (endpoints.Values.FirstOrDefault(e => e.Network == id && e.Sandbox == command.Sandbox) is { } twice)
        {
            return new(
                RefusalKind.Conflict, what, $"It is attached already, as {twice.Name} with {twice.Ipv4 ?? twice.Ipv6}.",
                $"Detach it first with `overlayd detach {network.Name} {command.SandboxText}`.");
        }

        return PrepareName(command, network, id, what) ?? PrepareService(attach, network, what) ?? PrepareInterface(command, what)
            ?? PrepareAddresses(attach, network, what);
    }

    private Refusal? AvailabilityFault(string what)
    {
        NodeObject? self = intent.Node(Id.ToString());
        return Availability.Of(self) switch
        {
            NodeAvailability.Pause => Closed("paused"),
            NodeAvailability.Drain => Closed("drained"),
            _ => null,
        };

        Refusal Closed(string how) => new(
            RefusalKind.Conflict, what, $"This node is {how}: it gets no new endpoints.",
            $"Attach on another node, or type `overlayd node update --availability active {self!.Hostname}` on a manager.");
    }

    private Refusal? PrepareName(AttachCommand command, NetworkObject network, NetworkId id, string what)
    {
        if (NameFor(command) is not { } name)
        {
            return new(
                RefusalKind.Invalid, what, "No DNS name can be made of the sandbox's own.", "Give one with `--name`.");
        }

        if (!DnsName.IsLabel(name))
        {
            return new(
                RefusalKind.Invalid, what, $"{Refusal.Quote(name)} is not a DNS label.",
                "Give a name of up to 63 letters, digits and '-'.");
        }

        if (command.Aliases.Length > RemoteEndpointRecord.MaxNames)
        {
            return new(
                RefusalKind.Invalid, what, $"It has {command.Aliases.Length} aliases.",
                $"Give at most {RemoteEndpointRecord.MaxNames}.");
        }

        if (command.Aliases.FirstOrDefault(static a => !DnsName.IsLabel(a)) is { } bad)
        {
            return new(
                RefusalKind.Invalid, what, $"The alias {Refusal.Quote(bad)} is not a DNS label.",
                "Give names of up to 63 letters, digits and '-'.");
        }

        if (ServiceNameFault(name, network, what) is { } taken)
        {
            return taken;
        }

        string? holder = endpoints.Values.Where(e => e.Network == id && SameName(e.Name, name))
            .Select(e => $"in sandbox {e.Sandbox} on this node").FirstOrDefault()
            ?? remotes.On(id).Where(r => SameName(r.Name, name)).Select(r => $"on node {HostnameOf(r.Owner)}").FirstOrDefault();
        return holder is null
            ? null
            : new(
                RefusalKind.Conflict, what, $"An endpoint named {name} is on {network.Name} already, {holder}.",
                "Choose another name with `--name`, or share one as an `--alias`.");
    }

    private Refusal? PrepareInterface(AttachCommand command, string what)
    {
        if (command.Interface.Length == 0
            || (!command.InterfacesInUse.Contains(command.Interface)
                && !endpoints.Values.Any(e => e.Sandbox == command.Sandbox && e.Interface == command.Interface)))
        {
            return null;
        }

        return new(
            RefusalKind.Conflict, what, $"The sandbox has an interface {command.Interface} already.",
            "Choose another with `--interface`, or leave it out for the first free eth0, eth1, ….");
    }

    /// <summary>Finds the segment of addresses given by hand.</summary>
    private static Refusal? PrepareAddresses(PendingAttach attach, NetworkObject network, string what)
    {
        int? segment = null;
        foreach (IPAddress address in new[] { attach.Command.Ipv4, attach.Command.Ipv6 }.OfType<IPAddress>())
        {
            int found = network.Segments.ToList().FindIndex(
                s => PrefixOf(s.Ipv4)?.Contains(address) == true || PrefixOf(s.Ipv6)?.Contains(address) == true);
            if (found < 0)
            {
                string subnets = string.Join(", ", network.Segments.SelectMany(static s => new[] { s.Ipv4?.Subnet, s.Ipv6?.Subnet }).OfType<string>());
                return new(
                    RefusalKind.Invalid, what, $"{address} is outside its subnets {subnets}.",
                    "Give an address inside one of them, or none to have one chosen.");
            }

            if (segment is { } other && other != found)
            {
                return new(
                    RefusalKind.Invalid, what, "The IPv4 and the IPv6 address are in different segments of the network.",
                    $"See which subnets belong together with `overlayd network inspect {network.Name}`.");
            }

            segment = found;
        }

        attach.Segment ??= segment;
        return null;
    }

    private Outcome<EndpointState> FindEndpoint(DetachCommand command)
    {
        if (command.Sandbox is { } sandbox)
        {
            Outcome<NetworkObject> network = intent.FindNetwork(command.Network);
            if (network.Refusal is { } unknown)
            {
                return unknown;
            }

            NetworkId id = NetworkId.Parse(network.Value.Id);
            return endpoints.Values.FirstOrDefault(e => e.Network == id && e.Sandbox == sandbox) is { } attached
                ? attached
                : new Refusal(
                    RefusalKind.NotFound, $"Sandbox {sandbox} is not on {network.Value.Name}.",
                    "No endpoint of this node joins the two.", "Type `overlayd endpoint ls --local` to see what is attached here.");
        }

        EndpointState[] found = [.. endpoints.Values.Where(e => e.Id.ToString() == command.Endpoint)];
        found = found.Length > 0 ? found : [.. endpoints.Values.Where(e => SameName(e.Name, command.Endpoint))];
        found = found.Length > 0 || command.Endpoint.Length == 0
            ? found
            : [.. endpoints.Values.Where(e => e.Id.ToString().StartsWith(command.Endpoint, StringComparison.Ordinal))];
        return found.Length switch
        {
            1 => found[0],
            0 => new Refusal(
                RefusalKind.NotFound, $"There is no endpoint {Refusal.Quote(command.Endpoint)} on this node.",
                "No endpoint here has that name, and no id begins with it.",
                "Type `overlayd endpoint ls` to see which node has it, and detach it there."),
            _ => new Refusal(
                RefusalKind.Invalid, $"{Refusal.Quote(command.Endpoint)} names more than one endpoint.",
                $"It matches {string.Join(", ", found.Select(static e => e.Id.ToString()))}.",
                "Type the whole id, or the network and the sandbox."),
        };
    }

    private string HostnameOf(NodeId node) => intent.Node(node.ToString())?.Hostname ?? node.ToString();

    private static bool SameName(string left, string right) => string.Equals(left, right, StringComparison.OrdinalIgnoreCase);
}
