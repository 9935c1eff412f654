using System.Net;
using System.Net.Sockets;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What a saved state must hold for <see cref="Node"/> to take it back.</summary>
public static class LocalStateFault
{
    private const int LongestInterface = 15; // IFNAMSIZ, linux/if.h
    private const int MacBytes = 6;

    /// <summary>In words; null: there is none.</summary>
    public static string? Of(LocalState state)
    {
        SortedDictionary<string, int> segments = new(StringComparer.Ordinal);
        foreach (StoreObject item in state.Assignment?.Upserts ?? [])
        {
            if (item.Network is { } network)
            {
                segments[network.Id] = network.Segments.Count;
            }
        }

        if (state.Assignment?.Cluster is { } cluster && cluster.GossipKeys.Any(static k => k.Key.Length != Limits.GossipKeyBytes))
        {
            return $"a gossip key has not {Limits.GossipKeyBytes} bytes";
        }

        foreach (LocalEndpointState endpoint in state.Endpoints)
        {
            if (FaultOf(endpoint, segments) is { } fault)
            {
                return fault;
            }
        }

        V1.RestingAddress? resting = state.Resting.FirstOrDefault(
            static r => !NetworkId.TryParse(r.NetworkId, out _) || !IPAddress.TryParse(r.Address, out _));
        if (resting is not null)
        {
            return $"'{resting.Address}' on '{resting.NetworkId}' is no resting address";
        }

        return state.LeftSandboxes.Any(static s => s.Length == 0) ? "a sandbox that was left has no name" : null;
    }

    private static string? FaultOf(LocalEndpointState endpoint, SortedDictionary<string, int> segments)
    {
        if (!EndpointId.TryParse(endpoint.Id, out _))
        {
            return $"'{endpoint.Id}' is no endpoint id";
        }

        if (!NetworkId.TryParse(endpoint.NetworkId, out _)
            || (segments.TryGetValue(endpoint.NetworkId, out int count) && endpoint.Segment >= (uint)count)
            || endpoint.Segment > int.MaxValue || endpoint.GatewaySlot > int.MaxValue)
        {
            return $"endpoint {endpoint.Id} is on no segment of a network";
        }

        if (endpoint.Mac.Length != MacBytes || endpoint.Interface.Length is 0 or > LongestInterface)
        {
            return $"endpoint {endpoint.Id} has no MAC address or interface";
        }

        if ((endpoint.ServiceId.Length > 0 && !ServiceId.TryParse(endpoint.ServiceId, out _)) || endpoint.Weight > EndpointState.MaxWeight)
        {
            return $"endpoint {endpoint.Id} is of no service that can be";
        }

        if (!Enum.IsDefined(endpoint.Health) || endpoint.HealthCommand.Length > EndpointState.MaxHealthCommand)
        {
            return $"endpoint {endpoint.Id} has no health that can be";
        }

        return IsAddress(endpoint.Ipv4, AddressFamily.InterNetwork) && IsAddress(endpoint.Ipv6, AddressFamily.InterNetworkV6)
            ? null
            : $"endpoint {endpoint.Id} has no valid addresses";
    }

    private static bool IsAddress(string text, AddressFamily family) =>
        text.Length == 0 || (IPAddress.TryParse(text, out IPAddress? address) && address.AddressFamily == family);
}
