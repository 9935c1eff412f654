using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Overlay.Gossip;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>
/// The one owner of the <see cref="Node.Node"/>: drains what has come in, then fires due timers, then performs the
/// effects. Nothing in here waits for a disk, the kernel or a manager; their completions come back as inputs.
/// </summary>
internal sealed partial class NodeLoop(
    Node.Node node, MonotonicClock clock, INodeEffectsHandler handler, ILogger<NodeLoop> logger)
{
    private const int InboxCapacity = 16 * 1024;
    private const int MaxInputsPerTurn = 256;

    private readonly NodeEffects effects = new();
    private readonly Channel<NodeInput> inbox = Channel.CreateBounded<NodeInput>(
        new BoundedChannelOptions(InboxCapacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });

    /// <summary>False when the inbox is full: the input is dropped, which gossip survives.</summary>
    public bool TryPost(NodeInput input) => inbox.Writer.TryWrite(input);

    /// <summary>For inputs that must not be lost.</summary>
    public ValueTask PostAsync(NodeInput input, CancellationToken cancellationToken) =>
        inbox.Writer.WriteAsync(input, cancellationToken);

    /// <summary>Runs a function on the loop, where the node may be read and changed.</summary>
    public async Task<T> CallAsync<T>(Func<Node.Node, Instant, NodeEffects, T> call, CancellationToken cancellationToken)
    {
        CallInput<T> input = new(call);
        await inbox.Writer.WriteAsync(input, cancellationToken);
        return await input.Result.WaitAsync(cancellationToken);
    }

    public Task<T> ReadAsync<T>(Func<Node.Node, T> read, CancellationToken cancellationToken) =>
        CallAsync((n, _, _) => read(n), cancellationToken);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        node.Start(clock.Now, effects);
        Perform();
        // One timer that wakes the reader: a cancelled wait would cost an exception at every deadline.
        await using ITimer alarm = clock.Time.CreateTimer(
            static writer => ((ChannelWriter<NodeInput>)writer!).TryWrite(AlarmInput.Instance),
            inbox.Writer, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Instant armed = Instant.Never;
        bool rang = false;
        while (!cancellationToken.IsCancellationRequested)
        {
            if (node.NextDeadline is var next && (next != armed || rang))
            {
                armed = next;
                rang = false;
                alarm.Change(DelayUntil(next), Timeout.InfiniteTimeSpan);
            }

            await inbox.Reader.WaitToReadAsync(cancellationToken);
            // Queued packets first: an answer that is already here must not count as missing.
            for (int i = 0; i < MaxInputsPerTurn && inbox.Reader.TryRead(out NodeInput? input); i++)
            {
                rang |= input is AlarmInput;
                input.Deliver(node, clock.Now, effects);
                Perform();
            }

            rang |= armed <= clock.Now;
            if (clock.Now is var now && node.NextDeadline <= now)
            {
                node.Advance(now, effects);
                Perform();
            }
        }
    }

    /// <summary>Whole milliseconds, rounded up, as timers have them: one that rings early would only ring again.</summary>
    private TimeSpan DelayUntil(Instant deadline) => deadline == Instant.Never
        ? Timeout.InfiniteTimeSpan
        : TimeSpan.FromMilliseconds(Math.Max(1, Math.Ceiling((deadline - clock.Now).TotalMilliseconds)));

    private void Perform()
    {
        if (effects.Persist)
        {
            handler.Persist(node.PersistRevision, node.Export());
        }

        foreach (Datagram datagram in effects.Gossip.Datagrams)
        {
            handler.Send(datagram);
        }

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
            case NodeEvent.EndpointChanged e:
                LogEndpoint(e.Name, e.Id, e.Network, e.Action, e.Detail);
                break;
            case NodeEvent.NetworkChanged n:
                LogNetwork(n.Name, n.Id, n.Action);
                break;
            case NodeEvent.RecordRejected r:
                LogRejected(r.Owner, r.Reason);
                break;
        }
    }

    [LoggerMessage(EventId = 310, Level = LogLevel.Information, Message = "Node {Hostname} ({Member}) is {Status}, was {Previous}")]
    private partial void LogMember(string hostname, string member, string status, string previous);

    [LoggerMessage(EventId = 311, Level = LogLevel.Information, Message = "Endpoint {Name} ({Id}) on {Network}: {Action} {Detail}")]
    private partial void LogEndpoint(string name, EndpointId id, string network, string action, string detail);

    [LoggerMessage(EventId = 312, Level = LogLevel.Information, Message = "Network {Name} ({Id}): {Action}")]
    private partial void LogNetwork(string name, NetworkId id, string action);

    [LoggerMessage(EventId = 313, Level = LogLevel.Warning, Message = "An endpoint record of {Owner} is refused: {Reason}")]
    private partial void LogRejected(string owner, string reason);
}
