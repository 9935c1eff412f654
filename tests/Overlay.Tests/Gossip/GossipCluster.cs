using System.Collections.Immutable;
using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

/// <summary>
/// Several nodes on a simulated network with loss, duplication, reordering and partitions; one seed decides all.
/// </summary>
internal sealed class GossipCluster(ulong seed, SwimOptions? options = null)
{
    public static readonly Keyring Keys = new([.. new[] { Enumerable.Range(0, 32).Select(i => (byte)i).ToArray() }]);

    private readonly PriorityQueue<Action, (long At, long Order)> queue = new();
    private readonly SortedDictionary<string, Node> nodes = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Node> byAddress = new(StringComparer.Ordinal);
    private readonly SwimOptions options = options ?? SwimOptions.Lan;
    private readonly Prng prng = new(seed);
    private long order;
    private ulong boots = 100;

    public Instant Now { get; private set; } = new(1_000_000_000_000);

    public double Loss { get; set; }

    public double Duplication { get; set; }

    public TimeSpan MinLatency { get; set; } = TimeSpan.FromMicroseconds(200);

    public TimeSpan MaxLatency { get; set; } = TimeSpan.FromMilliseconds(2);

    public bool StreamsWork { get; set; } = true;

    /// <summary>False: no packet passes from the first to the second.</summary>
    public Func<string, string, bool> Reachable { get; set; } = (_, _) => true;

    /// <summary>Like <see cref="Reachable"/>, for datagrams alone.</summary>
    public Func<string, string, bool> DatagramsPass { get; set; } = (_, _) => true;

    public long DatagramsDelivered { get; private set; }

    public List<(IPEndPoint From, byte[] Payload)> Recorded { get; } = [];

    public bool Recording { get; set; }

    public IEnumerable<Node> Live => nodes.Values.Where(n => n.Up);

    public Node this[int index] => nodes[NameOf(index)];

    public static string NameOf(int index) => $"node-{index:D2}";

    public Node Start(int index, params int[] seeds) => Start(index, seeds, ++boots);

    public Node Start(int index, int[] seeds, ulong bootId)
    {
        string name = NameOf(index);
        var node = new Node(name, new(new IPAddress([10, 0, (byte)(index / 250), (byte)((index % 250) + 1)]), 7946));
        node.Swim = new(name, node.Address, (byte[])[(byte)index], bootId, options, Keys, new(prng.NextUInt64()));
        nodes[name] = node;
        byAddress[node.Address.ToString()] = node;
        node.Swim.Start(Now, node.Effects);
        if (seeds.Length > 0)
        {
            node.Swim.Join([.. seeds.Select(s => this[s].Address)], Now, node.Effects);
        }

        Flush(node);
        return node;
    }

    public static GossipCluster Of(int count, ulong seed, SwimOptions? options = null)
    {
        var cluster = new GossipCluster(seed, options);
        cluster.Start(0);
        for (int i = 1; i < count; i++)
        {
            cluster.Start(i, 0);
        }

        return cluster;
    }

    /// <summary>The whole host is gone: dials to it time out.</summary>
    public void Crash(int index)
    {
        this[index].Up = false;
        this[index].KernelUp = false;
    }

    /// <summary>The agent is gone and its host's kernel refuses connections.</summary>
    public void KillAgent(int index) => this[index].Up = false;

    /// <summary>The agent reads nothing any more; its host's kernel still takes connections for it.</summary>
    public void Hang(int index)
    {
        this[index].Up = false;
        this[index].Hangs = true;
    }

    /// <summary>The agent goes on with what it had.</summary>
    public void Resume(int index)
    {
        Node node = this[index];
        node.Up = true;
        node.KernelUp = true;
        node.Hangs = false;
        node.ArmedFor = Instant.Never;
        Do(index, static (s, now, e) => s.Advance(now, e));
    }

    public void Do(int index, Action<Swim, Instant, GossipEffects> action)
    {
        Node node = this[index];
        action(node.Swim, Now, node.Effects);
        Flush(node);
    }

    public void Put(int index, string network, string key, string value) =>
        Do(index, (s, now, e) => Assert.Equal(
            PutOutcome.Done, s.Put(network, key, System.Text.Encoding.UTF8.GetBytes(value), now, e)));

    public void Inject(int index, IPEndPoint from, byte[] payload) =>
        Do(index, (s, now, e) => s.Receive(from, payload, now, e));

    public void Run(TimeSpan duration)
    {
        Instant end = Now + duration;
        while (queue.TryPeek(out _, out (long At, long Order) next) && next.At <= end.Nanoseconds)
        {
            Action action = queue.Dequeue();
            Now = new(Math.Max(Now.Nanoseconds, next.At));
            action();
        }

        Now = end;
    }

    /// <summary>Runs until the condition holds; fails after the limit. Returns how long it took.</summary>
    public TimeSpan RunUntil(TimeSpan limit, Func<bool> condition, string what = "the condition")
    {
        Instant start = Now;
        while (!condition())
        {
            Assert.True(Now - start < limit, $"{what} does not hold after {limit.TotalSeconds} s");
            Run(TimeSpan.FromMilliseconds(10));
        }

        return Now - start;
    }

    /// <summary>Every live node sees exactly the live nodes as alive.</summary>
    public bool AllAgree()
    {
        string[] expected = [.. Live.Select(n => n.Name)];
        return Live.All(n => n.Swim.Members.Where(m => m.State == MemberState.Alive).Select(m => m.Name)
            .SequenceEqual(expected));
    }

    private void Later(TimeSpan delay, Action action) =>
        queue.Enqueue(action, ((Now + delay).Nanoseconds, order++));

    private TimeSpan Latency() => prng.Between(MinLatency, MaxLatency);

    private void Flush(Node node)
    {
        GossipEffects e = node.Effects;
        Datagram[] datagrams = [.. e.Datagrams.Select(static d => d.Copy())];
        StreamDial[] dials = [.. e.Dials];
        StreamReply[] replies = [.. e.Replies];
        node.Events.AddRange(e.Events);
        node.ProbeTimes.AddRange(e.ProbeTimes);
        e.Clear();
        foreach (Datagram datagram in datagrams)
        {
            node.BytesSent += datagram.Payload.Length;
            Assert.True(datagram.Payload.Length <= 1400, $"a packet of {datagram.Payload.Length} bytes");
            Deliver(node, datagram);
        }

        foreach (StreamDial dial in dials)
        {
            Dial(node, dial);
        }

        foreach (StreamReply reply in replies)
        {
            node.OpenStreams.Remove(reply.ExchangeId, out Action<ReadOnlyMemory<byte>>? answer);
            answer!(reply.Response);
        }

        Arm(node);
    }

    private void Arm(Node node)
    {
        Instant due = node.Swim.NextDeadline;
        if (due >= node.ArmedFor || due == Instant.Never || !node.Up)
        {
            return;
        }

        node.ArmedFor = due;
        TimeSpan delay = due > Now ? due - Now + TimeSpan.FromMicroseconds(1) : TimeSpan.FromMicroseconds(10);
        Later(delay, () =>
        {
            if (node.Up && node.ArmedFor == due)
            {
                node.ArmedFor = Instant.Never;
                node.Swim.Advance(Now, node.Effects);
                Flush(node);
            }
        });
    }

    private void Deliver(Node from, Datagram datagram)
    {
        if (Recording)
        {
            Recorded.Add((from.Address, datagram.Payload.ToArray()));
        }

        int copies = prng.Chance(Loss) ? 0 : prng.Chance(Duplication) ? 2 : 1;
        for (int i = 0; i < copies; i++)
        {
            Later(Latency(), () =>
            {
                if (byAddress.TryGetValue(datagram.To.ToString(), out Node? to) && to.Up
                    && Reachable(from.Name, to.Name) && DatagramsPass(from.Name, to.Name))
                {
                    DatagramsDelivered++;
                    to.Swim.Receive(from.Address, datagram.Payload.Span, Now, to.Effects);
                    Flush(to);
                }
            });
        }
    }

    private void Dial(Node from, StreamDial dial)
    {
        from.BytesSent += dial.Request.Length;
        Later(Latency() + Latency(), () =>
        {
            if (!from.Up)
            {
                return;
            }

            Node? to = byAddress.GetValueOrDefault(dial.To.ToString());
            if (!StreamsWork || to is not { Up: true }
                || !Reachable(from.Name, to.Name) || !Reachable(to.Name, from.Name))
            {
                bool kernelAnswers = StreamsWork && to is { Up: false, KernelUp: true }
                    && Reachable(from.Name, to.Name) && Reachable(to.Name, from.Name);
                StreamFailure failure = !kernelAnswers ? StreamFailure.Unreachable
                    : to!.Hangs ? StreamFailure.Unanswered
                    : StreamFailure.Refused;
                Later(failure == StreamFailure.Refused ? Latency() : dial.Timeout, () => Finish(
                    from, s => s.StreamFailed(dial.ExchangeId, failure, Now, from.Effects)));
                return;
            }

            long id = order++;
            bool answered = false;
            to.OpenStreams[id] = response =>
            {
                answered = true;
                to.BytesSent += response.Length;
                Later(Latency(), () => Finish(
                    from, s => s.StreamCompleted(dial.ExchangeId, response.Span, Now, from.Effects)));
            };
            var ephemeral = new IPEndPoint(from.Address.Address, 40000);
            to.Swim.ReceiveStream(id, ephemeral, dial.Request.Span, Now, to.Effects);
            Flush(to);
            to.OpenStreams.Remove(id);
            if (!dial.ExpectsReply)
            {
                Finish(from, s => s.StreamCompleted(dial.ExchangeId, [], Now, from.Effects));
            }
            else if (!answered)
            {
                Later(Latency(), () => Finish(
                    from, s => s.StreamFailed(dial.ExchangeId, StreamFailure.Unanswered, Now, from.Effects)));
            }
        });
    }

    private void Finish(Node node, Action<Swim> action)
    {
        if (node.Up)
        {
            action(node.Swim);
            Flush(node);
        }
    }

    internal sealed class Node(string name, IPEndPoint address)
    {
        public string Name { get; } = name;

        public IPEndPoint Address { get; } = address;

        public Swim Swim { get; set; } = null!;

        public bool Up { get; set; } = true;

        public bool KernelUp { get; set; } = true;

        public bool Hangs { get; set; }

        public GossipEffects Effects { get; } = new();

        public List<GossipEvent> Events { get; } = [];

        public List<TimeSpan> ProbeTimes { get; } = [];

        public Dictionary<long, Action<ReadOnlyMemory<byte>>> OpenStreams { get; } = [];

        public Instant ArmedFor { get; set; } = Instant.Never;

        public long BytesSent { get; set; }

        public string Table(string network) => string.Join(' ', Swim.Entries(network)
            .Select(e => $"{e.Owner}/{e.Key}={System.Text.Encoding.UTF8.GetString(e.Value.Span)}"));
    }
}
