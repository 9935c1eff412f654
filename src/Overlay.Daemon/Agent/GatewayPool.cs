using System.Net;
using Overlay.Daemon.Configuration;
using Overlay.Linux;
using Overlay.Linux.Namespaces;

namespace Overlay.Daemon.Agent;

/// <summary>The addresses of this host's gateway bridge.</summary>
internal static class GatewayPool
{
    /// <summary>
    /// The first configured prefix that shares no address with a route of the host. A prefix that the bridge of an
    /// earlier start uses, or ov-ingress, is our own, and is kept.
    /// </summary>
    public static IPNetwork Choose(AgentSettings settings, NamespaceDirectory namespaces)
    {
        HostNetwork host = HostNetwork.Read(namespaces);
        foreach (IPNetwork pool in settings.GatewayPools)
        {
            if (host.Overlapping(pool).All(static r => r.Device.StartsWith("ovg", StringComparison.Ordinal)))
            {
                return pool;
            }
        }

        throw new Errors.FailureException(
            "cannot choose addresses for the gateway bridge",
            $"each of {string.Join(", ", settings.GatewayPools)} overlaps a route of this host",
            "Name a free prefix as gateway-pool in the configuration", Errors.ExitCode.Failure);
    }
}
