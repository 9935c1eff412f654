using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;

namespace Overlay.Node;

/// <summary>
/// Places on the node's gateway bridge: one for each sandbox with an endpoint on a network that leads out. The
/// first address is the bridge's own. They are given in turn, so that each rests as long as it can: for up to a minute after a
/// sandbox was detached the host sends what is for its address to its MAC (base_reachable_time), and another one there would hear
/// nothing.
/// </summary>
internal static class GatewaySlots
{
    private const int First = 2;

    /// <param name="after">The place that was given last; or any number, the same seldom.</param>
    public static Outcome<int> For(NamespaceName sandbox, ulong after, IEnumerable<EndpointState> endpoints, IPNetwork prefix)
    {
        SortedSet<int> taken = [];
        foreach (EndpointState endpoint in endpoints)
        {
            if (endpoint.GatewaySlot == 0)
            {
                continue;
            }

            if (endpoint.Sandbox == sandbox)
            {
                return endpoint.GatewaySlot;
            }

            taken.Add(endpoint.GatewaySlot);
        }

        int count = Math.Max(0, GatewayBridge.LastSlot(prefix) - First + 1);
        for (ulong i = 1; i <= (ulong)count; i++)
        {
            int slot = First + (int)(((after % (ulong)count) + (ulong)count - First + i) % (ulong)count);
            if (!taken.Contains(slot))
            {
                return slot;
            }
        }

        return new Refusal(
            RefusalKind.Exhausted,
            $"Cannot attach {sandbox}.",
            $"The gateway bridge's prefix {prefix} has no free address.",
            "Detach a sandbox, or set a larger prefix as gateway-pool in the agent's configuration.");
    }
}
