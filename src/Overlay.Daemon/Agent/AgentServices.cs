using System.Net;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Overlay.Daemon.Checks;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Manager;
using Overlay.Daemon.Names;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;
using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>What outlives a membership: settings, clock, kernel, names, events.</summary>
internal sealed class AgentServices(
    AgentSettings settings, MonotonicClock clock, Reconciler reconciler, NameServer names, BackendProber prober, EventHub events,
    ResolvConf resolvConf, HostResolver hostResolver, NamespaceDirectory namespaces, IPNetwork gatewayPrefix, LoadBalancer loadBalancer,
    Instruments instruments, ILoggerFactory logs)
{
    private const int StandardMtu = 1500;

    public AgentSettings Settings => settings;

    /// <summary>What opens the disk of the manager here, as long as the process lives.</summary>
    public ManagerLock Lock { get; } = new();

    public MonotonicClock Clock => clock;

    public long StartedUnixMs { get; } = clock.UnixMs;

    public Reconciler Reconciler => reconciler;

    public NameServer Names => names;

    public BackendProber Prober => prober;

    public EventHub Events => events;

    public ResolvConf ResolvConf => resolvConf;

    public HostResolver HostResolver => hostResolver;

    /// <summary>Chosen at start: the first of the configured prefixes that overlaps no route of the host.</summary>
    public IPNetwork GatewayPrefix => gatewayPrefix;

    /// <summary>What came of the setting on this kernel.</summary>
    public LoadBalancer LoadBalancer => loadBalancer;

    public Instruments Instruments => instruments;

    public ILoggerFactory Logs => logs;

    /// <summary>Seeded by the operating system; one for each owner.</summary>
    public Prng NewPrng()
    {
        Span<byte> state = stackalloc byte[32];
        RandomNumberGenerator.Fill(state);
        return new(state);
    }

    /// <summary>The host's own routes, without the agent's devices.</summary>
    public IEnumerable<V1.HostRoute> HostRoutes() => HostNetwork.Read(namespaces).Routes
        .Where(static r => !r.Device.StartsWith("ovg", StringComparison.Ordinal) && r.Destination.PrefixLength > 0)
        .Select(static r => new V1.HostRoute { Destination = r.Destination.ToString(), Device = r.Device });

    /// <summary>MTU of the interface that VXLAN packets leave by.</summary>
    public int UnderlayMtu(IPAddress vtep) => HostNetwork.Read(namespaces).MtuOf(vtep) ?? StandardMtu;
}
