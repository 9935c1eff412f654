using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Overlay.Daemon.Telemetry;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Linux.Sockets;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The agent's gauges and totals. The node may be read on its own loop only, so a snapshot of it is taken every few
/// seconds, and that is what a scrape sees.
/// </summary>
internal sealed class AgentTelemetry
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    /// <summary>Series of one kind: networks times peers is without bound.</summary>
    private const int MaxLagLines = 512;

    private readonly AgentHost host;
    private readonly Instruments instruments;
    private volatile Snapshot snapshot = Snapshot.Empty;
    private readonly RisingTotals totals = new();
    private Membership? counted;

    private sealed record Snapshot
    {
        public static readonly Snapshot Empty = new();

        public ImmutableSortedDictionary<string, int> Members { get; init; } =
            ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal);

        /// <summary>By network name: entries of its table, and endpoints of this node.</summary>
        public ImmutableArray<(string Network, int Entries, int Local)> Networks { get; init; } = [];

        public (int Starting, int Healthy, int Unhealthy) Backends { get; init; }

        /// <summary>By network and host name: how far a peer has got with this node's entries.</summary>
        public ImmutableArray<(string Network, string Peer, PeerLag Lag)> Lags { get; init; } = [];

        public (long Epoch, long Inquiries, long Verdicts) Judged { get; init; }

        /// <summary>By network name: addresses leased to this node, held by its endpoints, and resting.</summary>
        public ImmutableArray<(string Network, double Leased, int Used, int Resting)> Addresses { get; init; } = [];

        public int HealthScore { get; init; }

        public int Queued { get; init; }

        public GossipTotals Gossip { get; init; } = new(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);

        public (long Given, long Refused, long Missing) Allocations { get; init; }
    }

    private sealed record GossipTotals(
        long Probes, long Failed, long ByStream, long Refutations, long Syncs, long StreamsFailed, long Applied, long Repaired,
        long Rejected, long Unopened, long Refused);

    public AgentTelemetry(AgentHost host, Instruments instruments)
    {
        this.host = host;
        this.instruments = instruments;
        instruments.Observe(Gauge.NodeInfo, () => host.Current is { } current
            ? [Measure(1, ("node", current.Record.NodeId), ("role", current.Identity.Role == NodeRole.Manager ? "manager" : "worker"))]
            : []);
        instruments.Observe(Gauge.GossipMembers, () => snapshot.Members.Select(static m => Measure(m.Value, ("state", m.Key))));
        instruments.Observe(Gauge.GossipHealthScore, () => snapshot.HealthScore);
        instruments.Observe(Gauge.GossipQueueLength, () => snapshot.Queued);
        instruments.Observe(Gauge.DataplanePending, () => host.Services.Reconciler.Status.Pending);
        instruments.Observe(Gauge.IpamAddresses, () => snapshot.Addresses.SelectMany(static n => new[]
        {
            Measure(n.Leased, ("network", n.Network), ("state", "leased")),
            Measure(n.Used, ("network", n.Network), ("state", "used")),
            Measure(n.Resting, ("network", n.Network), ("state", "resting")),
        }));
        instruments.Observe(Gauge.Networks, () => snapshot.Networks.Length);
        instruments.Observe(Gauge.NetdbEntries, () => snapshot.Networks.Select(
            static n => Measure(n.Entries, ("network", n.Network), ("table", "endpoint"))));
        instruments.Observe(Gauge.Endpoints, () => snapshot.Networks.Select(
            static n => Measure(n.Local, ("network", n.Network), ("runtime", "namespace"))));
        instruments.Observe(Gauge.HealthBackends, () =>
        [
            Measure(snapshot.Backends.Starting, ("state", "starting")),
            Measure(snapshot.Backends.Healthy, ("state", "healthy")),
            Measure(snapshot.Backends.Unhealthy, ("state", "unhealthy")),
        ]);
        instruments.Observe(Gauge.NetdbAcknowledged, () => snapshot.Lags.Select(
            static l => Measure(l.Lag.Acknowledged, ("network", l.Network), ("peer", l.Peer))));
        instruments.Observe(Gauge.NetdbLagEntries, () => snapshot.Lags.Select(
            static l => Measure(l.Lag.Entries, ("network", l.Network), ("peer", l.Peer))));
        instruments.Observe(Gauge.NetdbLag, () => snapshot.Lags.Select(
            static l => Measure(l.Lag.Lag.TotalSeconds, ("network", l.Network), ("peer", l.Peer))));
        instruments.Observe(Gauge.GossipViewEpoch, () => snapshot.Judged.Epoch);
        instruments.Observe(Gauge.CertificateExpiry, () => host.Current is { } current
            ? [Measure(current.Identity.NotAfter.ToUnixTimeSeconds(), ("kind", "node"))]
            : []);
        instruments.Observe(Gauge.StoreVersion, () => host.Current?.Manager is { } manager
            ? [Measure(manager.Loop.State.Version)]
            : []);
    }

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using PeriodicTimer timer = new(Interval, host.Services.Clock.Time);
        while (await timer.WaitForNextTickAsync(cancellationToken))
        {
            if (host.Current is not { } current)
            {
                snapshot = Snapshot.Empty;
                continue;
            }

            Snapshot taken = await current.ReadAsync(node => Take(node, host.Services.Clock.Now), cancellationToken);
            snapshot = taken;
            if (!ReferenceEquals(counted, current))
            {
                // A new membership counts from zero.
                totals.Restart();
                counted = current;
            }

            Count(current.Loop.Port);
            Count(taken);
        }
    }

    private static Snapshot Take(Node.Node node, Instant now) => new()
    {
        Backends = (
            node.Endpoints.Count(static e => e.Health == EndpointHealth.Starting),
            node.Endpoints.Count(static e => e.Health == EndpointHealth.Healthy),
            node.Endpoints.Count(static e => e.Health == EndpointHealth.Unhealthy)),
        Lags =
        [
            .. node.Intent.Networks.SelectMany(n => node.Gossip.LagOf(n.Id, now).Select(
                l => (n.Name, node.Intent.Node(l.Peer)?.Hostname ?? l.Peer, l))).Take(MaxLagLines),
        ],
        Judged = (node.Gossip.ViewEpoch, node.Gossip.Counters.Inquiries, node.Gossip.Counters.FusedVerdicts),
        Members = node.Gossip.Members.Where(static m => !m.IsForeign).GroupBy(static m => Node.Node.StatusText(m.Presence))
            .ToImmutableSortedDictionary(static g => g.Key, static g => g.Count(), StringComparer.Ordinal),
        HealthScore = node.Gossip.HealthScore,
        Queued = node.Gossip.QueuedRumours,
        Gossip = TotalsOf(node.Gossip.Counters),
        Allocations = (node.Addresses.Given, node.Addresses.Refused, node.Addresses.Missing),
        Addresses =
        [
            .. node.Addresses.Census().Select(c => (
                node.Intent.Network(c.Network.ToString())?.Name ?? c.Network.ToString(), c.Leased, c.Used, c.Resting)),
        ],
        Networks =
        [
            .. node.Intent.Networks.Select(n => (
                n.Name, node.Gossip.Summarize(n.Id)?.Entries ?? 0,
                node.Endpoints.Count(e => e.Network == NetworkId.Parse(n.Id)))),
        ],
    };

    private static GossipTotals TotalsOf(GossipCounters c) => new(
        c.ProbesSent, c.ProbesFailed, c.TcpFallbacks, c.Refutations, c.PushPulls, c.StreamsFailed, c.DeltasApplied, c.DeltasRepaired,
        c.Rejected, c.Unopened, c.Refused);

    private void Count(DatagramPort port)
    {
        totals.Add(instruments.GossipBytes, port.SentBytes, ("dir", "out"), ("proto", "udp"));
        totals.Add(instruments.GossipBytes, port.ReceivedBytes, ("dir", "in"), ("proto", "udp"));
        totals.Add(instruments.GossipMessages, port.SentDatagrams, ("type", "datagram"), ("dir", "out"));
        totals.Add(instruments.GossipMessages, port.ReceivedDatagrams, ("type", "datagram"), ("dir", "in"));
        totals.Add(instruments.GossipDrops, port.SendErrors, ("reason", "send"));
        totals.Add(instruments.GossipDrops, port.DroppedDatagrams, ("reason", "overload"));
    }

    private void Count(Snapshot taken)
    {
        GossipTotals gossip = taken.Gossip;
        totals.Add(instruments.GossipDrops, gossip.Rejected - gossip.Unopened, ("reason", "malformed"));
        totals.Add(instruments.GossipDrops, gossip.Unopened, ("reason", "key"));
        totals.Add(instruments.GossipDrops, gossip.Refused, ("reason", "rule"));
        totals.Add(instruments.GossipProbes, gossip.Probes, ("result", "sent"));
        totals.Add(instruments.GossipProbes, gossip.Failed, ("result", "failed"));
        totals.Add(instruments.GossipProbes, gossip.ByStream, ("result", "tcp_only"));
        totals.Add(instruments.GossipRefutations, gossip.Refutations);
        totals.Add(instruments.GossipSyncs, gossip.Syncs, ("result", "done"));
        totals.Add(instruments.GossipSyncs, gossip.StreamsFailed, ("result", "failed"));
        totals.Add(instruments.TableDeltas, gossip.Applied, ("kind", "applied"));
        totals.Add(instruments.TableDeltas, gossip.Repaired, ("kind", "repaired"));
        totals.Add(instruments.GossipVerdicts, taken.Judged.Inquiries, ("result", "inquiry"));
        totals.Add(instruments.GossipVerdicts, taken.Judged.Verdicts, ("result", "dead"));
        totals.Add(instruments.IpamAllocations, taken.Allocations.Given, ("result", "given"));
        totals.Add(instruments.IpamAllocations, taken.Allocations.Refused, ("result", "refused"));
        totals.Add(instruments.IpamAllocations, taken.Allocations.Missing, ("result", "asked_manager"));
    }

    private static Measurement<double> Measure(double value, params ReadOnlySpan<(string Key, string Value)> labels)
    {
        KeyValuePair<string, object?>[] tags = new KeyValuePair<string, object?>[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            tags[i] = new(labels[i].Key, labels[i].Value);
        }

        return new(value, tags);
    }
}
