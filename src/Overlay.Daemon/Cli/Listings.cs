using System.Globalization;
using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>The tables of the CLI.</summary>
internal static class Listings
{
    public static Listing<NodeView> Nodes => new()
    {
        Noun = "nodes",
        Key = static node => node.Id,
        Columns =
        [
            new("ID", static (node, _) => node.Self ? node.Id + " *" : node.Id),
            new("HOSTNAME", static (node, _) => node.Hostname),
            new("STATUS", static (node, _) => node.Status, IsState: true),
            new("SINCE", static (node, now) => ElapsedText.Ago(node.StatusSinceUnixMs, now)),
            new("ROLE", static (node, _) => RoleOf(node)),
            new("ADDRESS", static (node, _) => node.GossipAddress),
            new("DATA PATH", static (node, _) => node.DataPathAddress),
            new("ENDPOINTS", static (node, _) => Number(node.Endpoints)),
            new("VERSION", static (node, _) => node.AgentVersion),
        ],
        Filters = new SortedDictionary<string, Func<NodeView, string, bool>>(StringComparer.Ordinal)
        {
            ["id"] = static (node, value) => Match.Id(node.Id, value),
            ["name"] = static (node, value) => Match.Name(node.Hostname, value),
            ["role"] = static (node, value) => Match.Word(RoleText.Of(node.Role), value),
            ["status"] = static (node, value) => Match.Word(node.Status, value),
            ["availability"] = static (node, value) => Match.Word(node.Availability, value),
            ["label"] = static (node, value) => Match.Label(node.Labels, value),
        },
    };

    public static Listing<NetworkView> Networks => new()
    {
        Noun = "networks",
        Key = static view => view.Network.Id,
        Columns =
        [
            new("ID", static (view, _) => view.Network.Id),
            new("NAME", static (view, _) => view.Network.Name),
            new("SUBNETS", static (view, _) => string.Join(", ", Subnets(view.Network))),
            new("VNI", static (view, _) => string.Join(", ", view.Network.Segments.Select(static s => Number(s.Vni)))),
            new("MTU", static (view, _) => view.EffectiveMtu == 0 ? "-" : Number(view.EffectiveMtu)),
            new("OPTIONS", static (view, _) => Options(view.Network)),
            new("CREATED", static (view, now) => ElapsedText.Ago(view.Network.CreatedUnixMs, now)),
        ],
        Filters = new SortedDictionary<string, Func<NetworkView, string, bool>>(StringComparer.Ordinal)
        {
            ["id"] = static (view, value) => Match.Id(view.Network.Id, value),
            ["name"] = static (view, value) => Match.Name(view.Network.Name, value),
            ["label"] = static (view, value) => Match.Label(view.Network.Labels, value),
            ["internal"] = static (view, value) => Match.Word(view.Network.Internal ? "true" : "false", value),
            ["attachable"] = static (view, value) => Match.Word(view.Network.Attachable ? "true" : "false", value),
        },
    };

    public static Listing<ServiceView> Services => new()
    {
        Noun = "services",
        Key = static view => view.Service.Id,
        Columns =
        [
            new("ID", static (view, _) => view.Service.Id),
            new("NAME", static (view, _) => view.Service.Name),
            new("NETWORK", static (view, _) => view.Network),
            new("MODE", static (view, _) => ModeOf(view.Service)),
            new("BACKENDS", static (view, _) => $"{view.Backends.Count(static b => b.InNames)}/{view.Backends.Count}"),
            new("VIP", static (view, _) => string.Join(", ", view.Service.VirtualAddresses)),
            new("SCHEDULER", static (view, _) => SchedulerOf(view.Service)),
            new("PORTS", static (view, _) => string.Join(", ", view.Service.Ports.Select(PortText.Of))),
            new("CREATED", static (view, now) => ElapsedText.Ago(view.Service.CreatedUnixMs, now)),
        ],
        Filters = new SortedDictionary<string, Func<ServiceView, string, bool>>(StringComparer.Ordinal)
        {
            ["id"] = static (view, value) => Match.Id(view.Service.Id, value),
            ["name"] = static (view, value) => Match.Name(view.Service.Name, value),
            ["network"] = static (view, value) => view.Network == value || view.Service.NetworkId == value,
            ["mode"] = static (view, value) => Match.Word(ModeOf(view.Service), value),
            ["vip"] = static (view, value) => view.Service.VirtualAddresses.Contains(value),
            ["scheduler"] = static (view, value) => Match.Word(SchedulerOf(view.Service), value),
            ["publish"] = static (view, value) => view.Service.Ports.Any(p => $"{p.Published}" == value || PortText.Of(p.Published, p.Protocol) == value),
            ["label"] = static (view, value) => Match.Label(view.Service.Labels, value),
        },
    };

    public static Listing<SandboxView> Sandboxes => new()
    {
        Noun = "sandboxes",
        Key = static sandbox => sandbox.Name,
        Columns =
        [
            new("NAME", static (sandbox, _) => sandbox.Name),
            new("NAMESPACE", static (sandbox, _) => sandbox.Path),
            new("NETWORKS", static (sandbox, _) => string.Join(", ", sandbox.Endpoints.Select(static e => e.Network))),
            new("ADDRESSES", static (sandbox, _) => string.Join(", ", sandbox.Endpoints.SelectMany(Addresses))),
        ],
        Filters = new SortedDictionary<string, Func<SandboxView, string, bool>>(StringComparer.Ordinal)
        {
            ["name"] = static (sandbox, value) => Match.Name(sandbox.Name, value),
            ["network"] = static (sandbox, value) =>
                sandbox.Endpoints.Any(e => e.Network == value || e.NetworkId == value),
        },
    };

    public static Listing<EndpointView> Endpoints => new()
    {
        Noun = "endpoints",
        Key = static endpoint => endpoint.Id,
        Columns =
        [
            new("ID", static (endpoint, _) => endpoint.Id),
            new("NAME", static (endpoint, _) => endpoint.Name),
            new("NETWORK", static (endpoint, _) => endpoint.Network),
            new("NODE", static (endpoint, _) => endpoint.Node),
            new("IPV4", static (endpoint, _) => endpoint.Ipv4),
            new("IPV6", static (endpoint, _) => endpoint.Ipv6),
            new("INTERFACE", static (endpoint, _) => endpoint.Interface),
            new("SERVICE", static (endpoint, _) => endpoint.Service),
            new("STATE", static (endpoint, _) => endpoint.State, IsState: true),
            new("CREATED", static (endpoint, now) => ElapsedText.Ago(endpoint.CreatedUnixMs, now)),
        ],
        Filters = new SortedDictionary<string, Func<EndpointView, string, bool>>(StringComparer.Ordinal)
        {
            ["id"] = static (endpoint, value) => Match.Id(endpoint.Id, value),
            ["name"] = static (endpoint, value) => Match.Name(endpoint.Name, value),
            ["network"] = static (endpoint, value) => endpoint.Network == value || endpoint.NetworkId == value,
            ["node"] = static (endpoint, value) => endpoint.Node == value || Match.Id(endpoint.NodeId, value),
            ["sandbox"] = static (endpoint, value) => endpoint.Sandbox == value,
            ["service"] = static (endpoint, value) => Match.Word(endpoint.Service, value),
            ["status"] = static (endpoint, value) => Match.Word(endpoint.State, value),
        },
    };

    public static Listing<GossipMemberView> GossipMembers => new()
    {
        Noun = "members",
        Key = static member => member.Name,
        Columns =
        [
            new("NAME", static (member, _) => member.Self ? member.Name + " *" : member.Name),
            new("HOSTNAME", static (member, _) => member.Foreign ? "(foreign)" : member.Hostname),
            new("STATUS", static (member, _) => member.Status, IsState: true),
            new("SINCE", static (member, now) => ElapsedText.Ago(member.StatusSinceUnixMs, now)),
            new("ADDRESS", static (member, _) => member.Address),
            new("RTT", static (member, _) => member.RoundTripSeconds > 0 ? Milliseconds(member.RoundTripSeconds) : "-"),
            new("TAGS", static (member, _) => TagsOf(member)),
        ],
        Filters = new SortedDictionary<string, Func<GossipMemberView, string, bool>>(StringComparer.Ordinal)
        {
            ["name"] = static (member, value) => Match.Name(member.Name, value) || Match.Name(member.Hostname, value),
            ["status"] = static (member, value) => Match.Word(member.Status, value),
            ["foreign"] = static (member, value) => Match.Word(member.Foreign ? "true" : "false", value),
            ["tag"] = static (member, value) => Match.Label(member.Tags, value),
        },
    };

    public static Listing<GossipEventView> GossipEvents => new()
    {
        Noun = "events",
        Key = static happened => happened.Name,
        Columns =
        [
            new("TIME", static (happened, _) => happened.Time.ToString(CultureInfo.InvariantCulture)),
            new("NAME", static (happened, _) => happened.Name),
            new("PAYLOAD", static (happened, _) => happened.Payload),
        ],
        Filters = new SortedDictionary<string, Func<GossipEventView, string, bool>>(StringComparer.Ordinal)
        {
            ["name"] = static (happened, value) => Match.Name(happened.Name, value),
        },
    };

    public static Listing<GossipKeyView> GossipKeys => new()
    {
        Noun = "keys",
        Key = static key => Number(key.Epoch),
        Columns =
        [
            new("EPOCH", static (key, _) => Number(key.Epoch)),
            new("STATE", static (key, _) => key.State, IsState: true),
            new("CREATED", static (key, now) => key.CreatedUnixMs == 0 ? "-" : ElapsedText.Ago(key.CreatedUnixMs, now)),
        ],
        Filters = new SortedDictionary<string, Func<GossipKeyView, string, bool>>(StringComparer.Ordinal)
        {
            ["state"] = static (key, value) => Match.Word(key.State, value),
        },
    };

    public static string Milliseconds(double seconds) =>
        (seconds * 1000).ToString("0.000", CultureInfo.InvariantCulture) + "ms";

    /// <summary>With what is not as usual: its place among the managers, and whether it gets anything new.</summary>
    private static string RoleOf(NodeView node) =>
        RoleText.Of(node.Role) + (node.ManagerStatus is "" or "voter" ? "" : $", {node.ManagerStatus}")
        + (node.Availability is "" or "active" ? "" : $", {node.Availability}");

    private static string ModeOf(ServiceObject service) => service.EndpointMode == EndpointMode.Dnsrr ? "dnsrr" : "vip";

    private static string SchedulerOf(ServiceObject service) => service.VirtualAddresses.Count == 0 ? "" : service.Scheduler switch
    {
        Scheduler.Rr => "rr",
        Scheduler.Sh => "sh",
        Scheduler.Lc => "lc",
        Scheduler.Wlc => "wlc",
        Scheduler.Mh => "mh",
        _ => "wrr",
    };

    private static string TagsOf(GossipMemberView member) => string.Join(
        ", ", member.Tags.OrderBy(static t => t.Key, StringComparer.Ordinal).Select(static t => $"{t.Key}={t.Value}"));

    private static IEnumerable<string> Subnets(NetworkObject network) =>
        network.Segments
            .SelectMany(static segment => new[] { segment.Ipv4?.Subnet, segment.Ipv6?.Subnet })
            .Where(static subnet => !string.IsNullOrEmpty(subnet))
            .Select(static subnet => subnet!);

    private static IEnumerable<string> Addresses(EndpointView endpoint) =>
        new[] { endpoint.Ipv4, endpoint.Ipv6 }.Where(static address => address.Length > 0);

    private static string Options(NetworkObject network) => string.Join(
        ", ",
        new[] { network.Internal ? "internal" : "", network.Attachable ? "attachable" : "", network.Ingress ? "ingress" : "" }
            .Where(static option => option.Length > 0));

    private static string Number(ulong number) => number.ToString(CultureInfo.InvariantCulture);
}
