using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Overlay.Gossip;
using Overlay.Linux.Sockets;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The one owner of the <see cref="Node.Node"/>, a thread of its own that sleeps on UDP 7946: drains what has come in,
/// then fires due timers, then performs the effects. Nothing in here waits for a disk, the kernel or a manager; their
/// completions come back as inputs.
/// </summary>
internal sealed partial class NodeLoop : IDisposable
{
    private const int InboxCapacity = 16 * 1024;
    private const int MaxInputsPerTurn = 256;

    /// <summary>A flood must not keep the timers from ever firing; all that fits the receive buffer is less.</summary>
    private const int MaxBatchesPerTurn = 512;

    /// <summary>Without a deadline the loop looks around this often, which costs nothing and needs no special case.</summary>
    private static readonly TimeSpan LongestSleep = TimeSpan.FromMinutes(1);

    private readonly Node.Node node;
    private readonly MonotonicClock clock;
    private readonly INodeEffectsHandler handler;
    private readonly ILogger logger;
    private readonly DatagramPort port;
    private readonly NodeEffects effects = new();
    private readonly Channel<NodeInput> inbox = Channel.CreateBounded<NodeInput>(
        new BoundedChannelOptions(InboxCapacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    /// <param name="listen">Where gossip is heard.</param>
    /// <exception cref="SocketException">The port is taken, or the address not this host's.</exception>
    public NodeLoop(
        Node.Node node, IPEndPoint listen, MonotonicClock clock, INodeEffectsHandler handler, ILogger<NodeLoop> logger)
    {
        this.node = node;
        this.clock = clock;
        this.handler = handler;
        this.logger = logger;
        port = new(listen, LogSendFailed);
    }

    /// <summary>What went through UDP 7946, for reading only.</summary>
    public DatagramPort Port => port;

    /// <summary>False when the inbox is full: the input is dropped, which gossip survives.</summary>
    public bool TryPost(NodeInput input)
    {
        bool taken = inbox.Writer.TryWrite(input);
        port.Wake();
        return taken;
    }

    /// <summary>For inputs that must not be lost.</summary>
    public async ValueTask PostAsync(NodeInput input, CancellationToken cancellationToken)
    {
        await inbox.Writer.WriteAsync(input, cancellationToken);
        port.Wake();
    }

    /// <summary>Runs a function on the loop, where the node may be read and changed.</summary>
    public async Task<T> CallAsync<T>(Func<Node.Node, Instant, NodeEffects, T> call, CancellationToken cancellationToken)
    {
        CallInput<T> input = new(call);
        await PostAsync(input, cancellationToken);
        return await input.Result.WaitAsync(cancellationToken);
    }

    public Task<T> ReadAsync<T>(Func<Node.Node, T> read, CancellationToken cancellationToken) =>
        CallAsync((n, _, _) => read(n), cancellationToken);

    /// <summary>Starts the thread; the task ends with it, and fails with what it fails with.</summary>
    public Task RunAsync(CancellationToken cancellationToken)
    {
        TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() =>
        {
            try
            {
                using CancellationTokenRegistration waking = cancellationToken.Register(port.Wake);
                Run(cancellationToken);
                ended.SetResult();
            }
            catch (Exception e)
            {
                // The thread's end is the caller's to hear of, whatever ended it.
                ended.SetException(e);
            }
        })
        {
            IsBackground = true,
            Name = "overlayd-node",
        };
        thread.Start();
        return ended.Task;
    }

    /// <summary>Closes the socket; only once the loop has ended or never ran.</summary>
    public void Dispose() => port.Dispose();

    private void Run(CancellationToken cancellationToken)
    {
        node.Start(clock.Now, effects);
        Perform();
        Func<bool> idle = () => inbox.Reader.Count == 0 && !cancellationToken.IsCancellationRequested;
        while (!cancellationToken.IsCancellationRequested)
        {
            port.Wait(UntilDeadline(), idle);
            // All that waits comes first: an answer that is already here must not count as missing.
            Drain();
            if (clock.Now is var now && node.NextDeadline <= now)
            {
                node.Advance(now, effects);
                Perform();
            }
        }
    }

    private void Drain()
    {
        for (int batch = 0, count = DatagramPort.BatchSize; batch < MaxBatchesPerTurn && count == DatagramPort.BatchSize; batch++)
        {
            count = port.Receive();
            for (int i = 0; i < count; i++)
            {
                node.ReceiveDatagram(port.Source(i), port.Payload(i), clock.Now, effects);
                Perform();
            }
        }

        for (int i = 0; i < MaxInputsPerTurn && inbox.Reader.TryRead(out NodeInput? input); i++)
        {
            input.Deliver(node, clock.Now, effects);
            Perform();
        }
    }

    private TimeSpan UntilDeadline()
    {
        Instant next = node.NextDeadline;
        TimeSpan left = next == Instant.Never ? LongestSleep : next - clock.Now;
        return left < LongestSleep ? left : LongestSleep;
    }

    private void Perform()
    {
        if (effects.Persist)
        {
            handler.Persist(node.PersistRevision, node.Export());
        }

        foreach (Datagram datagram in effects.Gossip.Datagrams)
        {
            port.Send(datagram.To, datagram.Payload.Span);
        }

        port.Flush();

        foreach (StreamDial dial in effects.Gossip.Dials)
        {
            handler.Dial(dial);
        }

        foreach (StreamReply reply in effects.Gossip.Replies)
        {
            handler.Reply(reply);
        }

        foreach (TimeSpan roundTrip in effects.Gossip.ProbeTimes)
        {
            handler.Probed(roundTrip);
        }

        foreach (ManagerRequest request in effects.ManagerRequests)
        {
            handler.Ask(request);
        }

        if (effects.DataplaneChanged)
        {
            handler.Reconcile(node.DataplaneRevision, node.Inputs());
        }

        if (effects.ZonesChanged)
        {
            handler.PublishZones(node.SandboxZones());
        }

        if (effects.SessionLost)
        {
            handler.AbandonSession();
        }

        if (effects.DrainAcknowledged is { } drain)
        {
            handler.ConfirmDrain(drain);
        }

        foreach (HealthProbe probe in effects.Probes)
        {
            handler.Ask(probe);
        }

        foreach (Completion completion in effects.Completions)
        {
            handler.Complete(completion);
        }

        foreach (NodeEvent happened in effects.Events)
        {
            Log(happened);
            handler.Publish(happened);
        }

        effects.Clear();
    }

    private void Log(NodeEvent happened)
    {
        switch (happened)
        {
            case NodeEvent.MemberChanged m:
                LogMember(m.Hostname, m.Member, m.Status, m.Previous ?? "unknown");
                break;
            case NodeEvent.ForeignChanged f:
                LogForeign(f.Name, f.Status, f.Previous ?? "unknown");
                break;
            case NodeEvent.EndpointChanged e:
                LogEndpoint(e.Name, e.Id, e.Network, e.Action, e.Detail);
                break;
            case NodeEvent.NetworkChanged n:
                LogNetwork(n.Name, n.Id, n.Action);
                break;
            case NodeEvent.ServiceChanged s:
                LogService(s.Name, s.Id, s.Action);
                break;
            case NodeEvent.HealthChanged { Health: "unhealthy" } h:
                LogUnhealthy(h.Name, h.Id, h.Service, h.Reason);
                break;
            case NodeEvent.HealthChanged { Health: "" } h:
                LogUnchecked(h.Name, h.Id, h.Service);
                break;
            case NodeEvent.HealthChanged h:
                LogHealth(h.Name, h.Id, h.Service, h.Health);
                break;
            case NodeEvent.NodeWanted w:
                LogWanted(w.Hostname, w.Id, w.Action);
                break;
            case NodeEvent.Judged j:
                LogJudged(j.Hostname, j.Member, j.Witnesses);
                break;
            case NodeEvent.ViewChanged v:
                LogView(v.Epoch, v.Lost, v.Gained);
                break;
            case NodeEvent.RecordRejected r:
                LogRejected(r.Owner, r.Reason);
                break;
        }
    }

    [LoggerMessage(EventId = 301, Level = LogLevel.Debug, Message = "Could not send gossip to {To}: {Error}")]
    private partial void LogSendFailed(IPEndPoint to, SocketError error);

    [LoggerMessage(EventId = 310, Level = LogLevel.Information, Message = "Node {Hostname} ({Member}) is {Status}, was {Previous}")]
    private partial void LogMember(string hostname, string member, string status, string previous);

    [LoggerMessage(EventId = 332, Level = LogLevel.Information, Message = "Gossip member {Name} is {Status}, was {Previous}")]
    private partial void LogForeign(string name, string status, string previous);

    [LoggerMessage(EventId = 311, Level = LogLevel.Information, Message = "Endpoint {Name} ({Id}) on {Network}: {Action} {Detail}")]
    private partial void LogEndpoint(string name, EndpointId id, string network, string action, string detail);

    [LoggerMessage(EventId = 312, Level = LogLevel.Information, Message = "Network {Name} ({Id}): {Action}")]
    private partial void LogNetwork(string name, NetworkId id, string action);

    [LoggerMessage(EventId = 317, Level = LogLevel.Information, Message = "Service {Name} ({Id}): {Action}")]
    private partial void LogService(string name, ServiceId id, string action);

    [LoggerMessage(EventId = 318, Level = LogLevel.Warning, Message = "Backend {Name} ({Id}) of service {Service} is unhealthy: {Reason}")]
    private partial void LogUnhealthy(string name, EndpointId id, string service, string reason);

    [LoggerMessage(EventId = 319, Level = LogLevel.Information, Message = "Backend {Name} ({Id}) of service {Service} is {Health}")]
    private partial void LogHealth(string name, EndpointId id, string service, string health);

    [LoggerMessage(EventId = 323, Level = LogLevel.Information, Message = "Backend {Name} ({Id}) of service {Service} is not checked any more")]
    private partial void LogUnchecked(string name, EndpointId id, string service);

    [LoggerMessage(EventId = 316, Level = LogLevel.Information, Message = "Node {Hostname} ({Id}), as the managers want it: {Action}")]
    private partial void LogWanted(string hostname, string id, string action);

    [LoggerMessage(EventId = 314, Level = LogLevel.Warning, Message = "Node {Hostname} ({Member}) is silent to {Witnesses} observers")]
    private partial void LogJudged(string hostname, string member, int witnesses);

    [LoggerMessage(EventId = 315, Level = LogLevel.Information, Message = "View {Epoch} of the nodes: {Lost} lost, {Gained} gained")]
    private partial void LogView(long epoch, int lost, int gained);

    [LoggerMessage(EventId = 313, Level = LogLevel.Warning, Message = "An endpoint record of {Owner} is refused: {Reason}")]
    private partial void LogRejected(string owner, string reason);
}
