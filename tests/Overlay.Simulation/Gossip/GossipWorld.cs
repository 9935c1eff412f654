using System.IO.Compression;
using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip;

/// <summary>
/// Gossip nodes alone on a simulated network in virtual time; all that happens is decided by the seed. Packets are the
/// real bytes, not sealed, but counted with the bytes that sealing adds.
/// </summary>
internal sealed class GossipWorld
{
    /// <summary>AES-GCM: version byte, nonce and tag, less the checksum that only packets in the clear carry.</summary>
    private const int SealBytes = 29;
    private const int ChecksumBytes = 5;
    private const int StreamSealBytes = 34;
    private const int MaxWaiting = 8192;
    private const byte HasCrc = 12;
    private static readonly TimeSpan StarvedMin = TimeSpan.FromSeconds(0.5);
    private static readonly TimeSpan StarvedMax = TimeSpan.FromSeconds(2.5);

    private readonly PriorityQueue<Event, Moment> queue = new();
    private readonly Dictionary<IPEndPoint, GossipNode> byAddress = [];
    private readonly GossipArm arm;
    private long order;
    private ulong boots = 100;

    public GossipWorld(int nodes, ulong seed, GossipArm arm)
    {
        this.arm = arm;
        Prng = new(seed);
        Nodes = [.. Enumerable.Range(0, nodes).Select(static i => new GossipNode(
            i, new(new IPAddress([10, (byte)(i >> 16), (byte)(i >> 8), (byte)i]), 7946)))];
        foreach (GossipNode node in Nodes)
        {
            byAddress.Add(node.Address, node);
        }
    }

    public enum EventKind
    {
        Timer,
        Arrives,
        StreamAsked,
        StreamAnswered,
        StreamFailed,
        Does,
    }

    public GossipNode[] Nodes { get; }

    public Prng Prng { get; }

    public Counters Counters { get; } = new();

    public Instant Now { get; private set; } = new(1_000_000_000);

    public double Loss { get; set; }

    public TimeSpan MinLatency { get; set; } = TimeSpan.FromMilliseconds(1);

    public TimeSpan MaxLatency { get; set; } = TimeSpan.FromMilliseconds(3);

    /// <summary>Hears of every event of every node.</summary>
    public Action<GossipNode, GossipEvent>? Observer { get; set; }

    /// <summary>Hears of every datagram sent.</summary>
    public Action<GossipNode, Datagram>? Recorder { get; set; }

    public long Datagrams { get; private set; }

    /// <summary>FNV-1a of everything that was said; the same for every run of a seed.</summary>
    public ulong Transcript { get; private set; } = 14695981039346656037;

    public IEnumerable<GossipNode> Live => Nodes.Where(static n => n.IsUp);

    public long Bytes => Nodes.Sum(static n => n.DatagramBytes + n.StreamBytes);

    public void Start(GossipNode node, params IPEndPoint[] seeds)
    {
        Boot(node);
        node.Swim.Start(Now, node.Effects);
        if (seeds.Length > 0)
        {
            node.Swim.Join(seeds, Now, node.Effects);
        }

        Flush(node);
    }

    /// <summary>All nodes start now, and have known each other for long.</summary>
    public void StartAcquainted()
    {
        List<PushPullNode> lines = [.. Nodes.Select((n, i) => new PushPullNode(
            n.Name, n.Address, [(byte)i, (byte)(i >> 8)], 1, MemberState.Alive, [1, 5, 2, 2, 5, 5], boots + 1 + (ulong)i))];
        foreach (GossipNode node in Nodes)
        {
            Boot(node);
            node.Swim.Acquaint(lines, Now);
            node.Swim.Start(Now, node.Effects);
            Flush(node);
        }
    }

    public void Crash(GossipNode node)
    {
        node.IsUp = false;
        node.CrashedAt = Now;
        node.Waiting.Clear();
        node.Held.Clear();
        node.OpenStreams.Clear();
        node.Ailment = Ailment.None;
    }

    public void Do(GossipNode node, Action<Swim, Instant, GossipEffects> action)
    {
        action(node.Swim, Now, node.Effects);
        Flush(node);
    }

    /// <summary>Ends what ails the node; the queue is read before its timers, and what was held is sent.</summary>
    public void Heal(GossipNode node)
    {
        Ailment former = node.Ailment;
        node.Ailment = Ailment.None;
        if (former is Ailment.Paused or Ailment.Blocked)
        {
            foreach (Action send in node.Held)
            {
                send();
            }

            node.Held.Clear();
            while (node.Waiting.TryDequeue(out Event waiting))
            {
                Read(node, waiting);
            }
        }

        if (node.IsUp)
        {
            node.ArmedFor = Instant.Never;
            Arm(node);
        }
    }

    public void Later(TimeSpan delay, Action action) =>
        Enqueue(Now + delay, new(EventKind.Does, 0, 0, 0, 0, default, action));

    public void Run(TimeSpan duration)
    {
        Instant end = Now + duration;
        while (queue.TryPeek(out _, out Moment next) && next.At <= end.Nanoseconds)
        {
            Event due = queue.Dequeue();
            Now = new(Math.Max(next.At, Now.Nanoseconds));
            Happen(due);
        }

        Now = end;
    }

    /// <summary>How long until the condition holds, looked at every step; null where it does not within the limit.</summary>
    public TimeSpan? RunUntil(TimeSpan limit, TimeSpan step, Func<bool> condition)
    {
        Instant start = Now;
        while (!condition())
        {
            if (Now - start >= limit)
            {
                return null;
            }

            Run(step);
        }

        return Now - start;
    }

    public void Say(string text, bool aloud)
    {
        foreach (char c in text)
        {
            Transcript = (Transcript ^ c) * 1099511628211;
        }

        Transcript = (Transcript ^ (ulong)Now.Nanoseconds) * 1099511628211;
        if (aloud)
        {
            Console.WriteLine($"{Now,12} {text}");
        }
    }

    private void Boot(GossipNode node)
    {
        node.Life++;
        node.IsUp = true;
        node.CrashedAt = null;
        node.StartedAt = Now;
        node.ArmedFor = Instant.Never;
        node.Effects.Clear();
        node.BootId = ++boots;
        node.Swim = new(
            node.Name, node.Address, (byte[])[(byte)node.Index, (byte)(node.Index >> 8)], node.BootId, arm.Options, Keyring.Plaintext,
            new(Prng.NextUInt64()));
    }

    private void Enqueue(Instant at, in Event what) => queue.Enqueue(what, new(at.Nanoseconds, order++));

    private TimeSpan Latency() => Prng.Between(MinLatency, MaxLatency);

    private void Happen(in Event due)
    {
        if (due.Kind == EventKind.Does)
        {
            due.Action!();
            return;
        }

        GossipNode node = Nodes[due.Node];
        if (!node.IsUp || due.Life != node.Life)
        {
            return;
        }

        if (due.Kind == EventKind.Timer)
        {
            if (node.ArmedFor.Nanoseconds == due.Id && node.Ailment != Ailment.Paused)
            {
                node.ArmedFor = Instant.Never;
                node.Swim.Advance(Now, node.Effects);
                Flush(node);
            }

            return;
        }

        switch (node.Ailment)
        {
            case Ailment.Paused or Ailment.Blocked when node.Waiting.Count < MaxWaiting:
                node.Waiting.Enqueue(due);
                break;
            case Ailment.Paused or Ailment.Blocked:
                Counters.Add("queue full");
                break;
            case Ailment.Starved when !due.IsLate && due.Kind is (EventKind.Arrives or EventKind.StreamAsked):
                Enqueue(Now + Prng.Between(StarvedMin, StarvedMax), due with { IsLate = true });
                break;
            default:
                Read(node, due);
                break;
        }
    }

    private void Read(GossipNode node, in Event due)
    {
        node.ReceivedBytes += due.Payload.Length == 0 ? 0 : due.Payload.Length + (due.Kind == EventKind.Arrives ? SealBytes : StreamSealBytes);
        switch (due.Kind)
        {
            case EventKind.Arrives:
                node.Swim.Receive(Nodes[due.Peer].Address, due.Payload.Span, Now, node.Effects);
                break;
            case EventKind.StreamAsked:
                long id = order++;
                node.OpenStreams.Add(id, due);
                node.Swim.ReceiveStream(id, new(Nodes[due.Peer].Address.Address, 40000), due.Payload.Span, Now, node.Effects);
                Flush(node);
                if (node.OpenStreams.Remove(id))
                {
                    Enqueue(Now + Latency(), new(
                        due.ExpectsReply ? EventKind.StreamFailed : EventKind.StreamAnswered, due.Peer, due.Node, due.PeerLife, due.Id, default, null));
                }

                return;
            case EventKind.StreamAnswered:
                node.Swim.StreamCompleted(due.Id, due.Payload.Span, Now, node.Effects);
                break;
            default:
                node.Swim.StreamFailed(due.Id, StreamFailure.Unreachable, Now, node.Effects);
                break;
        }

        Flush(node);
    }

    private void Flush(GossipNode node)
    {
        GossipEffects e = node.Effects;
        if (Observer is { } observer)
        {
            foreach (GossipEvent change in e.Events)
            {
                observer(node, change);
            }
        }

        foreach (Datagram sent in e.Datagrams)
        {
            Datagram datagram = sent.Copy();
            Recorder?.Invoke(node, datagram);
            Datagrams++;
            node.DatagramBytes += datagram.Payload.Length + SealBytes - (datagram.Payload.Span[0] == HasCrc ? ChecksumBytes : 0);
            WhenSending(node, datagram, static (world, node, datagram) => world.Send(node, datagram));
        }

        foreach (StreamDial dial in e.Dials)
        {
            WhenSending(node, dial, static (world, node, dial) => world.Dial(node, dial));
        }

        foreach (StreamReply reply in e.Replies)
        {
            node.OpenStreams.Remove(reply.ExchangeId, out Event asked);
            node.StreamBytes += StreamSize(reply.Response);
            TimeSpan delay = Latency() + Resent(node, Nodes[asked.Peer], TimeSpan.FromMilliseconds(200));
            Enqueue(Now + delay, new(EventKind.StreamAnswered, asked.Peer, node.Index, asked.PeerLife, asked.Id, reply.Response, null));
        }

        e.Clear();
        Arm(node);
    }

    private void WhenSending<T>(GossipNode node, T what, Action<GossipWorld, GossipNode, T> send)
    {
        if (node.Ailment == Ailment.Blocked)
        {
            node.Held.Add(() => send(this, node, what));
        }
        else
        {
            send(this, node, what);
        }
    }

    private void Arm(GossipNode node)
    {
        Instant due = node.Swim.NextDeadline;
        if (due >= node.ArmedFor || due == Instant.Never)
        {
            return;
        }

        node.ArmedFor = due;
        Enqueue(due > Now ? due : Now + TimeSpan.FromMicroseconds(10), new(EventKind.Timer, node.Index, 0, node.Life, due.Nanoseconds, default, null));
    }

    private void Send(GossipNode from, in Datagram datagram)
    {
        if (byAddress.TryGetValue(datagram.To, out GossipNode? to) && Passes(from, to))
        {
            Enqueue(Now + Latency(), new(EventKind.Arrives, to.Index, from.Index, to.Life, 0, datagram.Payload, null));
        }
    }

    private static bool Connected(GossipNode from, GossipNode to) => from.Group == to.Group && !from.DeafTo.Contains(to.Index);

    private bool Passes(GossipNode from, GossipNode to) =>
        Connected(from, to) && !(Loss > 0 && Prng.Chance(Loss)) && !(to.LossIn > 0 && Prng.Chance(to.LossIn));

    /// <summary>TCP: connect, request, answer; each may be lost, and is repeated with a growing delay.</summary>
    private void Dial(GossipNode from, in StreamDial dial)
    {
        GossipNode? to = byAddress.GetValueOrDefault(dial.To);
        TimeSpan delay = Latency() + Latency() + Latency();
        bool reachable = to is { IsUp: true } && Connected(from, to) && Connected(to, from);
        if (reachable)
        {
            delay += Resent(from, to!, TimeSpan.FromSeconds(1)) + Resent(to!, from, TimeSpan.FromSeconds(1))
                + Resent(from, to!, TimeSpan.FromMilliseconds(200));
        }

        if (reachable && delay < dial.Timeout)
        {
            from.StreamBytes += StreamSize(dial.Request);
            Enqueue(Now + delay, new(EventKind.StreamAsked, to!.Index, from.Index, to.Life, dial.ExchangeId, dial.Request, null)
            {
                PeerLife = from.Life,
                ExpectsReply = dial.ExpectsReply,
            });
        }

        // The answer may come first; a late failure of a finished exchange is ignored by the core.
        Enqueue(Now + dial.Timeout, new(EventKind.StreamFailed, from.Index, to?.Index ?? 0, from.Life, dial.ExchangeId, default, null));
    }

    private TimeSpan Resent(GossipNode from, GossipNode to, TimeSpan first)
    {
        TimeSpan sum = TimeSpan.Zero;
        for (TimeSpan wait = first; wait < TimeSpan.FromSeconds(64) && !Passes(from, to); wait *= 2)
        {
            sum += wait;
        }

        return sum;
    }

    private int StreamSize(ReadOnlyMemory<byte> unit)
    {
        if (!arm.Compresses || unit.Length < 64)
        {
            return unit.Length + StreamSealBytes;
        }

        using MemoryStream packed = new();
        using (DeflateStream deflate = new(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            deflate.Write(unit.Span);
        }

        return (int)packed.Length + StreamSealBytes;
    }

    /// <summary>Something that will happen; <see cref="Life"/> is that of the node it happens to.</summary>
    internal readonly record struct Event(
        EventKind Kind, int Node, int Peer, int Life, long Id, ReadOnlyMemory<byte> Payload, Action? Action)
    {
        public int PeerLife { get; init; }

        public bool ExpectsReply { get; init; }

        public bool IsLate { get; init; }
    }

    private readonly record struct Moment(long At, long Order) : IComparable<Moment>
    {
        public int CompareTo(Moment other) => At != other.At ? At.CompareTo(other.At) : Order.CompareTo(other.Order);
    }
}
