using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;

namespace Overlay.Node;

/// <summary>
/// Places on the node's gateway bridge: one for each sandbox with an endpoint on a network that leads out. The
/// first address is the bridge's own.
/// </summary>
internal static class GatewaySlots
{
    private const int First = 2;

    public static Outcome<int> For(NamespaceName sandbox, IEnumerable<EndpointState> endpoints, IPNetwork prefix)
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

        int last = GatewayBridge.LastSlot(prefix);
        for (int slot = First; slot <= last; slot++)
        {
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
