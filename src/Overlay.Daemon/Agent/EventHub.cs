using System.Globalization;
using System.Text;
using System.Threading.Channels;
using Overlay.Daemon.Telemetry;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.V1;

namespace Overlay.Daemon.Agent;

/// <summary>Hands what happens to whoever watches. A watcher that is too slow misses the oldest.</summary>
internal sealed class EventHub(TimeProvider time, Instruments instruments)
{
    private const int Backlog = 1024;

    private readonly Lock gate = new();
    private readonly List<Channel<Event>> watchers = [];

    /// <summary>Told of everything, before the watchers.</summary>
    public Action<NodeEvent>? Happened { get; set; }

    public void Publish(NodeEvent happened)
    {
        Happened?.Invoke(happened);
        if (happened is NodeEvent.MemberChanged { Status: "suspect" })
        {
            instruments.GossipSuspicions.Add(1);
        }

        Event message = happened switch
        {
            NodeEvent.MemberChanged m => new() { Kind = "node", Action = m.Status, Id = m.Member, Name = m.Hostname },
            NodeEvent.Judged j => new()
            {
                Kind = "node",
                Action = "silent",
                Id = j.Member,
                Name = j.Hostname,
                Detail = $"to {j.Witnesses} observers",
            },
            NodeEvent.ViewChanged v => new()
            {
                Kind = "view",
                Action = "change",
                Id = v.Epoch.ToString(System.Globalization.CultureInfo.InvariantCulture),
                Detail = $"{v.Lost} lost, {v.Gained} gained",
            },
            NodeEvent.EndpointChanged e => new()
            {
                Kind = "endpoint",
                Action = e.Action,
                Id = e.Id.ToString(),
                Name = e.Name,
                Detail = $"{e.Network} {e.Detail}".Trim(),
            },
            NodeEvent.NetworkChanged n => new() { Kind = "network", Action = n.Action, Id = n.Id.ToString(), Name = n.Name },
            NodeEvent.ServiceChanged s => new() { Kind = "service", Action = s.Action, Id = s.Id.ToString(), Name = s.Name },
            NodeEvent.HealthChanged h => new()
            {
                Kind = "endpoint",
                Action = h.Health.Length == 0 ? "unchecked" : h.Health,
                Id = h.Id.ToString(),
                Name = h.Name,
                Detail = $"{h.Service} {h.Reason}".Trim(),
            },
            NodeEvent.NodeWanted w => new() { Kind = "node", Action = w.Action, Id = w.Id, Name = w.Hostname },
            NodeEvent.ForeignChanged f => new() { Kind = "gossip-member", Action = f.Status, Id = f.Name, Name = f.Name },
            NodeEvent.GossipTold { Told: GossipEvent.UserEvent u } => new()
            {
                Kind = "gossip-event",
                Action = "receive",
                Id = u.Time.ToString(CultureInfo.InvariantCulture),
                Name = u.Name,
                Detail = Encoding.UTF8.GetString(u.Payload.Span),
            },
            NodeEvent.RecordRejected r => new() { Kind = "endpoint", Action = "refuse", Id = r.Owner, Detail = r.Reason },
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        message.UnixMs = time.GetUtcNow().ToUnixTimeMilliseconds();
        lock (gate)
        {
            foreach (Channel<Event> watcher in watchers)
            {
                watcher.Writer.TryWrite(message);
            }
        }
    }

    public ChannelReader<Event> Watch(CancellationToken until)
    {
        Channel<Event> channel = Channel.CreateBounded<Event>(
            new BoundedChannelOptions(Backlog) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        lock (gate)
        {
            watchers.Add(channel);
        }

        until.Register(() =>
        {
            lock (gate)
            {
                watchers.Remove(channel);
            }

            channel.Writer.TryComplete();
        });
        return channel.Reader;
    }
}
