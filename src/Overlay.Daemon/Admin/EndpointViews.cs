using System.Net;
using Overlay.Cluster;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

/// <summary>How endpoints are shown, this node's and the others'.</summary>
internal static class EndpointViews
{
    public static EndpointView[] All(Node.Node node, string network, bool local)
    {
        NetworkObject? only = network.Length == 0 ? null : Errors.RefusalStatus.Require(node.Intent.FindNetwork(network));
        IEnumerable<EndpointView> views = node.Endpoints
            .Where(e => only is null || e.Network.ToString() == only.Id)
            .Select(e => Of(e, node));
        if (!local)
        {
            views = views.Concat(node.Intent.Networks
                .Where(n => only is null || n.Id == only.Id)
                .SelectMany(n => node.RemotesOn(NetworkId.Parse(n.Id)).Select(r => Of(r, n, node))));
        }

        return [.. views.OrderBy(static v => v.Network, StringComparer.Ordinal).ThenBy(static v => v.Name, StringComparer.Ordinal)];
    }

    public static EndpointView Of(EndpointState endpoint, Node.Node node)
    {
        NetworkObject? network = node.Intent.Network(endpoint.Network.ToString());
        EndpointView view = new()
        {
            Id = endpoint.Id.ToString(),
            Name = endpoint.Name,
            NetworkId = endpoint.Network.ToString(),
            Network = network?.Name ?? "",
            NodeId = node.Id.ToString(),
            Node = node.Intent.Node(node.Id.ToString())?.Hostname ?? Environment.MachineName,
            Sandbox = endpoint.Sandbox.Value,
            Interface = endpoint.Interface,
            Ipv4 = WithPrefix(endpoint.Ipv4, network, endpoint.Segment),
            Ipv6 = WithPrefix(endpoint.Ipv6, network, endpoint.Segment),
            Mac = endpoint.Mac.ToString(),
            Vtep = node.Settings.Vtep.ToString(),
            State = endpoint.Status.ToString().ToLowerInvariant(),
            CreatedUnixMs = endpoint.CreatedUnixMs,
            Mtu = network is null ? 0 : (uint)NetworkViews.MtuOf(network, node),
            Error = endpoint.Error,
            Service = node.ServiceOf(endpoint.Network, endpoint.Service)?.Name ?? "",
            Health = Node.Node.HealthText(endpoint.Health),
            HealthReason = endpoint.HealthReason,
            HealthCommand = endpoint.HealthCommand,
        };
        view.Weight = WeightOf(view, node.WeightOf(endpoint));
        view.Aliases.AddRange(endpoint.Aliases);
        return view;
    }

    public static Outcome<EndpointView> Find(Node.Node node, string text)
    {
        EndpointView[] all = All(node, "", local: false);
        EndpointView[] found = [.. all.Where(e => e.Id == text)];
        found = found.Length > 0 ? found : [.. all.Where(e => e.Name == text)];
        found = found.Length > 0 ? found : [.. all.Where(e => text.Length > 0 && e.Id.StartsWith(text, StringComparison.Ordinal))];
        return found.Length switch
        {
            1 => found[0],
            0 => new Refusal(
                RefusalKind.NotFound, $"There is no endpoint {Refusal.Quote(text)}.",
                "No endpoint that this node knows has that name, and no id begins with it.",
                "Type `overlayd endpoint ls` to see the names."),
            _ => new Refusal(
                RefusalKind.Invalid, $"{Refusal.Quote(text)} names more than one endpoint.",
                $"It matches {string.Join(", ", found.Take(5).Select(static e => $"{e.Id} ({e.Name} on {e.Network})"))}.",
                "Type the whole id."),
        };
    }

    public static int CountOf(string nodeId, Node.Node node) =>
        nodeId == node.Id.ToString()
            ? node.Endpoints.Count
            : node.Intent.Networks.Sum(n => node.RemotesOn(NetworkId.Parse(n.Id)).Count(r => r.Owner.ToString() == nodeId));

    private static EndpointView Of(RemoteEndpointRecord endpoint, NetworkObject network, Node.Node node)
    {
        NodeObject? owner = node.Intent.Node(endpoint.Owner.ToString());
        EndpointView view = new()
        {
            Id = endpoint.Id.ToString(),
            Name = endpoint.Name,
            NetworkId = network.Id,
            Network = network.Name,
            NodeId = endpoint.Owner.ToString(),
            Node = owner?.Hostname ?? endpoint.Owner.ToString(),
            Sandbox = endpoint.Sandbox,
            Ipv4 = WithPrefix(endpoint.Ipv4, network, endpoint.Segment),
            Ipv6 = WithPrefix(endpoint.Ipv6, network, endpoint.Segment),
            Mac = endpoint.Mac.ToString(),
            Vtep = owner?.DataPathAddress ?? "",
            State = "ready",
            CreatedUnixMs = endpoint.CreatedUnixMs,
            Mtu = (uint)NetworkViews.MtuOf(network, node),
            Service = node.ServiceOf(NetworkId.Parse(network.Id), endpoint.Service)?.Name ?? "",
            Health = Node.Node.HealthText(endpoint.Health),
        };
        view.Weight = WeightOf(view, endpoint.Weight);
        view.Aliases.AddRange(endpoint.Aliases);
        return view;
    }

    private static uint WeightOf(EndpointView view, int given) => view.Service.Length == 0 ? 0 : (uint)Math.Max(1, given);

    public static string WithPrefix(IPAddress? address, NetworkObject? network, int segment)
    {
        if (address is null || network is null || segment >= network.Segments.Count)
        {
            return address?.ToString() ?? "";
        }

        AddressRange? range = address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork
            ? network.Segments[segment].Ipv4
            : network.Segments[segment].Ipv6;
        return range is null ? address.ToString() : $"{address}/{IPNetwork.Parse(range.Subnet).PrefixLength}";
    }
}
