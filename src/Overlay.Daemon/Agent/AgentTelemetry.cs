using System.Collections.Immutable;
using System.Diagnostics.Metrics;
using Overlay.Daemon.Telemetry;
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

    private readonly AgentHost host;
    private readonly Instruments instruments;
    private volatile Snapshot snapshot = Snapshot.Empty;
    private Totals before = new(0, 0, 0, 0);

    private sealed record Snapshot
    {
        public static readonly Snapshot Empty = new();

        public ImmutableSortedDictionary<string, int> Members { get; init; } =
            ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal);

        /// <summary>By network name: entries of its table, and endpoints of this node.</summary>
        public ImmutableArray<(string Network, int Entries, int Local)> Networks { get; init; } = [];

        public int HealthScore { get; init; }
    }

    private sealed record Totals(long SentBytes, long ReceivedBytes, long Sent, long Received);

    public AgentTelemetry(AgentHost host, Instruments instruments)
    {
        this.host = host;
        this.instruments = instruments;
        instruments.Observe(Gauge.NodeInfo, () => host.Current is { } current
            ? [Measure(1, ("node", current.Record.NodeId), ("role", current.Identity.Role == NodeRole.Manager ? "manager" : "worker"))]
            : []);
        instruments.Observe(Gauge.GossipMembers, () => snapshot.Members.Select(static m => Measure(m.Value, ("state", m.Key))));
        instruments.Observe(Gauge.GossipHealthScore, () => snapshot.HealthScore);
        instruments.Observe(Gauge.Networks, () => snapshot.Networks.Length);
        instruments.Observe(Gauge.NetdbEntries, () => snapshot.Networks.Select(
            static n => Measure(n.Entries, ("network", n.Network), ("table", "endpoint"))));
        instruments.Observe(Gauge.Endpoints, () => snapshot.Networks.Select(
            static n => Measure(n.Local, ("network", n.Network), ("runtime", "namespace"))));
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

            snapshot = await current.ReadAsync(Take, cancellationToken);
            Count(current.Sockets);
        }
    }

    private static Snapshot Take(Node.Node node) => new()
    {
        Members = node.Gossip.Members.GroupBy(static m => Node.Node.StatusText(m.Presence))
            .ToImmutableSortedDictionary(static g => g.Key, static g => g.Count(), StringComparer.Ordinal),
        HealthScore = node.Gossip.HealthScore,
        Networks =
        [
            .. node.Intent.Networks.Select(n => (
                n.Name, node.Gossip.Summarize(n.Id)?.Entries ?? 0,
                node.Endpoints.Count(e => e.Network == NetworkId.Parse(n.Id)))),
        ],
    };

    private void Count(GossipSockets sockets)
    {
        Totals now = new(sockets.SentBytes, sockets.ReceivedBytes, sockets.SentDatagrams, sockets.ReceivedDatagrams);
        // A new membership has new sockets, which count from zero.
        Totals last = now.Sent < before.Sent ? new(0, 0, 0, 0) : before;
        before = now;
        instruments.GossipBytes.Add(now.SentBytes - last.SentBytes, new("dir", "out"), new("proto", "udp"));
        instruments.GossipBytes.Add(now.ReceivedBytes - last.ReceivedBytes, new("dir", "in"), new("proto", "udp"));
        instruments.GossipMessages.Add(now.Sent - last.Sent, new("type", "datagram"), new("dir", "out"));
        instruments.GossipMessages.Add(now.Received - last.Received, new("type", "datagram"), new("dir", "in"));
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
