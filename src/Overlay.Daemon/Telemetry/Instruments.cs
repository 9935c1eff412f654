using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Overlay.Daemon.Telemetry;

/// <summary>
/// Everything the agent measures: one meter and one activity source, both named overlayd, and all instrument names.
/// <para>Names are OpenTelemetry's; Prometheus shows them with underscores, the unit and _total (overlayd.dns.requests
/// is overlayd_dns_requests_total). A remark behind an instrument lists its labels, whose values must be few: never an
/// address, a container or a user's text.</para>
/// </summary>
internal sealed class Instruments : IDisposable
{
    public const string Name = "overlayd";

    private static readonly InstrumentAdvice<double> Seconds = new()
    {
        HistogramBucketBoundaries =
            [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    };

    public Instruments()
    {
        Meter = new(Name, Version);
        GossipMessages = Count("overlayd.gossip.msgs", "Gossip packets, by type and direction.");
        GossipBytes = Count("overlayd.gossip.bytes", "Bytes of gossip, by direction and protocol.", "By");
        GossipDrops = Count("overlayd.gossip.drops", "Gossip that came to nothing, by reason.");
        GossipSuspicions = Count("overlayd.gossip.suspicions", "Suspicions raised here or heard of.");
        GossipRefutations = Count("overlayd.gossip.refutations", "Times that this node objected to its suspicion.");
        GossipProbes = Count("overlayd.gossip.probes", "Probes, by result.");
        GossipVerdicts = Count("overlayd.gossip.verdicts", "Looks of several observers at one member that this node called for, by result.");
        GossipProbeRtt = Time("overlayd.gossip.probe.rtt", "Round-trip time of gossip probes.");
        GossipSyncs = Count("overlayd.gossip.syncs", "Full exchanges with a peer, by result.");
        TableDeltas = Count("overlayd.netdb.deltas", "Differences of endpoint tables, by kind.");
        IpamAllocations = Count("overlayd.ipam.allocations", "Addresses asked for, by result.");
        EndpointAttachDuration = Time("overlayd.endpoint.attach.duration", "Time from call to usable endpoint, by result.");
        EndpointProgramDuration = Time(
            "overlayd.endpoint.program.duration", "Time from learning of another node's endpoint to its entries in the kernel.");
        DataplaneOperations = Count("overlayd.dataplane.operations", "Kernel operations executed, by operation.");
        ProgrammingDuration = Time("overlayd.dataplane.programming.duration", "Time of rounds that changed the kernel.");
        ObservationDuration = Time("overlayd.dataplane.observation.duration", "Time to read the kernel by netlink.");
        DataplaneErrors = Count("overlayd.dataplane.errors", "Kernel operations that failed, by errno.");
        ReconcileRepairs = Count("overlayd.reconcile.repairs", "Repairs of what others changed, by kind of object.");
        HealthChecks = Count("overlayd.health.checks", "Checks of this node's backends, by kind and result.");
        DnsRequests = Count("overlayd.dns.requests", "DNS queries from sandboxes.");
        DnsResponses = Count("overlayd.dns.responses", "DNS responses to sandboxes, by response code.");
        DnsDrops = Count("overlayd.dns.drops", "DNS packets left without a response, by reason.");
        DnsDuration = Time("overlayd.dns.request.duration", "Time from query to response.");
        DnsUpstreamFailures = Count("overlayd.dns.upstream.failures", "Forwarded DNS queries that failed, by reason.");
        DnsUpstreamAnswers = Count("overlayd.dns.upstream.answers", "Answers to forwarded DNS queries, by source.");
        StoreFsyncDuration = Time("overlayd.store.fsync.duration", "Time to make the store's log durable.");
        StoreCommitDuration = Time("overlayd.store.commit.duration", "Time from proposal to acknowledged change.");
        ManagerRefusals = Count("overlayd.manager.refusals", "Peers and calls that the manager API refused, by kind.");
        RaftPeerMessages = Count("overlayd.raft.peer.msgs", "Messages between managers, by lane and direction.");
        RaftPeerBytes = Count("overlayd.raft.peer.bytes", "Bytes between managers, by lane and direction.", "By");
        RaftPeerDrops = Count("overlayd.raft.peer.drops", "Messages between managers that were dropped, by reason.");
        RaftPeerConnects = Count("overlayd.raft.peer.connects", "Connections opened to other managers, by lane.");
        RaftSnapshotBytes = Count("overlayd.raft.snapshot.bytes", "Bytes of snapshots between managers, by direction.", "By");
        GrpcRequests = Count("overlayd.grpc.requests", "gRPC calls served, by method and status code.");
        GrpcDuration = Time("overlayd.grpc.request.duration", "Time of unary gRPC calls served.");
        GrpcClientCalls = Count("overlayd.grpc.client.calls", "Unary gRPC calls made to managers, by method and status code.");
        GrpcClientDuration = Time("overlayd.grpc.client.call.duration", "Time of unary gRPC calls made to managers.");
        Observe(Gauge.BuildInfo, static () => [new(1, [
            new("version", Version),
            new("revision", Revision),
            new("dotnet", RuntimeInformation.FrameworkDescription.Replace(".NET ", "", StringComparison.Ordinal))])]);
    }

    /// <summary>Spans; W3C trace context travels with gRPC calls.</summary>
    public static ActivitySource Activities { get; } = new(Name, Version);

    /// <summary>The version of the executable, without its source revision.</summary>
    public static string Version => InformationalVersion.Split('+')[0];

    public static string Revision => InformationalVersion.Split('+') is [_, var revision, ..] ? revision : "";

    public Meter Meter { get; }

    public Counter<long> GossipMessages { get; }                  // type, dir

    public Counter<long> GossipBytes { get; }                     // dir, proto

    public Counter<long> GossipDrops { get; }                     // reason

    public Counter<long> GossipSuspicions { get; }

    public Counter<long> GossipRefutations { get; }

    public Counter<long> GossipProbes { get; }                    // result

    public Counter<long> GossipVerdicts { get; }                  // result

    public Histogram<double> GossipProbeRtt { get; }

    public Counter<long> GossipSyncs { get; }                     // result

    public Counter<long> TableDeltas { get; }                     // kind

    public Counter<long> IpamAllocations { get; }                 // result

    public Histogram<double> EndpointAttachDuration { get; }      // result

    public Histogram<double> EndpointProgramDuration { get; }

    public Counter<long> DataplaneOperations { get; }             // op

    public Histogram<double> ProgrammingDuration { get; }

    public Histogram<double> ObservationDuration { get; }

    public Counter<long> DataplaneErrors { get; }                 // op, errno

    public Counter<long> ReconcileRepairs { get; }                // kind

    public Counter<long> HealthChecks { get; }                    // kind (tcp, http, command), result (ok, failed, timeout)

    public Counter<long> DnsRequests { get; }                     // proto, type

    public Counter<long> DnsResponses { get; }                    // rcode

    public Counter<long> DnsDrops { get; }                        // reason

    public Histogram<double> DnsDuration { get; }                 // zone (overlay, upstream)

    public Counter<long> DnsUpstreamFailures { get; }             // reason
    public Counter<long> DnsUpstreamAnswers { get; }              // source

    public Histogram<double> StoreFsyncDuration { get; }

    public Histogram<double> StoreCommitDuration { get; }

    public Counter<long> ManagerRefusals { get; }                 // kind

    public Counter<long> RaftPeerMessages { get; }                // lane, dir

    public Counter<long> RaftPeerBytes { get; }                   // lane, dir

    public Counter<long> RaftPeerDrops { get; }                   // reason

    public Counter<long> RaftPeerConnects { get; }                // lane

    public Counter<long> RaftSnapshotBytes { get; }               // dir

    public Counter<long> GrpcRequests { get; }                    // method, code

    public Histogram<double> GrpcDuration { get; }                // method

    public Counter<long> GrpcClientCalls { get; }                 // method, code

    public Histogram<double> GrpcClientDuration { get; }          // method

    private static string InformationalVersion =>
        typeof(Instruments).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
        ?? "0";

    /// <summary>Tells how to read a gauge; once for each. Series that are no longer reported disappear.</summary>
    /// <param name="values">Called on every scrape, from any thread: reads a published snapshot.</param>
    public void Observe(Gauge gauge, Func<IEnumerable<Measurement<double>>> values) =>
        Meter.CreateObservableGauge(gauge.Name, values, gauge.Unit, gauge.Description);

    /// <summary>A gauge without labels.</summary>
    public void Observe(Gauge gauge, Func<double> value) =>
        Meter.CreateObservableGauge(gauge.Name, value, gauge.Unit, gauge.Description);

    public void Dispose() => Meter.Dispose();

    private Counter<long> Count(string name, string description, string? unit = null) =>
        Meter.CreateCounter<long>(name, unit, description);

    private Histogram<double> Time(string name, string description) =>
        Meter.CreateHistogram(name, "s", description, tags: null, Seconds);
}

/// <summary>The gauges: states that are read when somebody asks.</summary>
internal sealed class Gauge
{
    public static readonly Gauge BuildInfo = new("overlayd.build.info", "Always 1.");
    public static readonly Gauge NodeInfo = new("overlayd.node.info", "Always 1.");          // node, role
    public static readonly Gauge GossipMembers = new("overlayd.gossip.members", "Nodes known, by state."); // state
    public static readonly Gauge GossipHealthScore =
        new("overlayd.gossip.health.score", "0 is healthy; each point slows this node's own accusations down.");
    public static readonly Gauge GossipQueueLength = new("overlayd.gossip.queue.length", "Messages waiting to spread.");
    public static readonly Gauge NetdbEntries =
        new("overlayd.netdb.entries", "Entries of the endpoint tables.");                    // network, table
    public static readonly Gauge NetdbAcknowledged = new(
        "overlayd.netdb.acknowledged.version", "How far a peer has got with this node's entries."); // network, peer
    public static readonly Gauge NetdbLagEntries =
        new("overlayd.netdb.lag.entries", "Writes of this node that a peer has not acknowledged."); // network, peer
    public static readonly Gauge NetdbLag =
        new("overlayd.netdb.lag", "Age of the oldest of them; 0: there is none.", "s");      // network, peer
    public static readonly Gauge GossipViewEpoch =
        new("overlayd.gossip.view.epoch", "Changes of the set of nodes that count; a cut of many is one.");
    public static readonly Gauge Networks = new("overlayd.networks", "Networks known here.");
    public static readonly Gauge Endpoints = new("overlayd.endpoints", "Endpoints on this node."); // network, runtime
    public static readonly Gauge HealthBackends =
        new("overlayd.health.backends", "Backends on this node that are checked, by state."); // state (starting, healthy, unhealthy)
    public static readonly Gauge IpamAddresses =
        new("overlayd.ipam.addresses", "Addresses, by state.");                              // network, state (leased, used, resting)
    public static readonly Gauge DnsSandboxes = new("overlayd.dns.sandboxes", "Sandboxes with a resolver."); // state
    public static readonly Gauge DnsPending = new("overlayd.dns.upstream.pending", "Questions to the host's servers.");
    public static readonly Gauge DnsKept = new("overlayd.dns.upstream.kept", "Answers of the host's servers that are kept.");
    public static readonly Gauge CertificateExpiry =
        new("overlayd.cert.expiry.timestamp", "When the certificate ends, in seconds since 1970.", "s"); // kind
    public static readonly Gauge DataplanePending =
        new("overlayd.dataplane.pending", "Kernel operations that failed in the last round and are tried again.");
    public static readonly Gauge StoreVersion = new("overlayd.store.version", "Version of the last change.");

    private Gauge(string name, string description, string? unit = null)
    {
        Name = name;
        Description = description;
        Unit = unit;
    }

    public string Name { get; }

    public string Description { get; }

    public string? Unit { get; }
}
