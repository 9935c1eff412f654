using System.Net;
using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>What a node may say of itself.</summary>
internal static class NodeRules
{
    private const string Next = "Correct the agent's configuration and start it again.";

    public static Refusal? Fault(NodeObject node, string what) =>
        node.Id.Length == 0 || node.Id.Contains('/', StringComparison.Ordinal)
            ? Invalid(what, $"{Refusal.Quote(node.Id)} is not a node id.")
        : !IsText(node.Hostname, Limits.HostnameCharacters) || node.Hostname.Length == 0
            ? Invalid(what, $"{Refusal.Quote(node.Hostname)} is not a host name.")
        : !IsEndpoint(node.GossipAddress)
            ? Invalid(what, $"The gossip address {Refusal.Quote(node.GossipAddress)} is not an address and a port.")
        : !Address.TryParse(node.DataPathAddress, out _)
            ? Invalid(what, $"The data path address {Refusal.Quote(node.DataPathAddress)} is not an address.")
        : node.ControlAddress.Length > 0 && !IsEndpoint(node.ControlAddress)
            ? Invalid(what, $"The control address {Refusal.Quote(node.ControlAddress)} is not an address and a port.")
        : node.Role == NodeRole.Manager && node.ControlAddress.Length == 0
            ? Invalid(what, "A manager has a control address, and this one says none.")
        : !IsText(node.AgentVersion, Limits.VersionCharacters)
            ? Invalid(what, $"{Refusal.Quote(node.AgentVersion)} is not an agent's version.")
        : LabelRules.Fault(node.Labels, what) ?? RouteFault(node, what);

    private static Refusal? RouteFault(NodeObject node, string what)
    {
        if (node.Routes.Count > Limits.RoutesPerNode)
        {
            return Invalid(what, $"It has {node.Routes.Count} routes; at most {Limits.RoutesPerNode} are kept.");
        }

        HostRoute? bad = node.Routes.FirstOrDefault(route =>
            !Prefix.TryParse(route.Destination, out _) || !IsText(route.Device, Limits.DeviceCharacters));
        return bad is null
            ? null
            : Invalid(
                what, $"{Refusal.Quote(bad.Destination)} on {Refusal.Quote(bad.Device)} is not a route.");
    }

    private static bool IsEndpoint(string text) =>
        text.Length <= 64 && IPEndPoint.TryParse(text, out IPEndPoint? endpoint)
        && endpoint.Port != 0 && string.Equals(endpoint.ToString(), text, StringComparison.Ordinal);

    private static bool IsText(string text, int limit) => text.Length <= limit && !text.Any(char.IsControl);

    private static Refusal Invalid(string what, string why) => new(RefusalKind.Invalid, what, why, Next);
}
