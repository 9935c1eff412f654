using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Coordinates;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Verdicts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Verdicts;

namespace Overlay.Tests.Gossip;

/// <summary>A packet that brings nothing new is opened, read, applied and answered without one allocated byte.</summary>
public sealed class ReceiveAllocationTests
{
    private const int Times = 500;
    private const ulong Boot = 7;
    private static readonly Keyring Sealed = new([[.. Enumerable.Range(0, 32).Select(static i => (byte)i)]]);
    private static readonly IPEndPoint Peer = At(2);
    private static readonly byte[] Versions = [1, 5, 2, 2, 5, 5];

    private static readonly SortedDictionary<string, GossipMessage[]> Kinds = new(StringComparer.Ordinal)
    {
        ["ping of ours"] = [new GossipMessage.Ping(1, "me", null, "peer")],
        ["ping of a foreigner"] = [new GossipMessage.Ping(1, "me", At(3), "foreigner")],
        ["ping of somebody unknown"] = [new GossipMessage.Ping(1, "me", null, "unknown")],
        ["ping of somebody else"] = [new GossipMessage.Ping(1, "other", null, "peer")],
        ["stale ack"] = [new GossipMessage.Ack(1, CoordinatePayload.EncodeShort(Coordinate.Origin), 1UL << 41)],
        ["stale ack of a foreigner"] = [new GossipMessage.Ack(1, CoordinatePayload.Encode(Coordinate.Origin))],
        ["stale nack"] = [new GossipMessage.Nack(1)],
        ["known alive"] = [Alive("peer", 2, 3)],
        ["known alive of a foreigner"] = [Alive("foreigner", 3, 3) with { BootId = 0 }],
        ["known alive of ours, passed on by a foreigner"] = [Alive("tagged", 5, 3) with { BootId = 0, Meta = Tagged }],
        ["own alive"] = [Alive("me", 1, 1)],
        ["known suspect"] = [new GossipMessage.Suspect(3, "suspect", "peer")],
        ["outdated suspect"] = [new GossipMessage.Suspect(2, "peer", "foreigner")],
        ["suspect nobody knows"] = [new GossipMessage.Suspect(2, "unknown", "foreigner")],
        ["known dead"] = [new GossipMessage.Dead(3, "dead", "peer")],
        ["compound of known news"] =
        [
            new GossipMessage.Ping(1, "me", null, "peer"), Alive("peer", 2, 3), new GossipMessage.Suspect(3, "suspect", "peer"),
            new GossipMessage.Dead(3, "dead", "peer"), Alive("foreigner", 3, 3) with { BootId = 0 },
        ],
        ["known write"] = [Tables(Write(1)), Tables(Write(2))],
        ["own write, passed on"] = [Tables(new TableMessage.Delta("net", "me", Boot, 0, 1, 1, 0, 0, [new("k", 1, new byte[9])]))],
        ["question"] = [Tables(new TableMessage.Question("net", Boot, 2))],
        ["acknowledgement"] = [Tables(new TableMessage.Acknowledgement("net", Boot, 1))],
        ["equal digest"] = [Tables(new TableMessage.Digest("net", "", "", [new("me", Boot, 2), new("peer", Boot, 2)]))],
        ["want of nothing"] = [Tables(new TableMessage.Want("net", []))],
        ["finding that nobody waits for"] = [Rig.Jury("foreigner", "peer", 3, Finding.Silent)],
        ["question about somebody unknown"] = [Rig.Jury("peer", "unknown", 3, null)],
        ["question about somebody dead"] = [Rig.Jury("peer", "dead", 3, null)],
        ["known join of serf's"] = [Of(new SerfMessage.Join(9, "foreigner"))],
        ["known farewell of serf's"] = [Of(new SerfMessage.Leave(9, "suspect", false))],
        ["known event of serf's"] = [Of(new SerfMessage.Event(9, "deploy", [1, 2, 3], true))],
        ["known query of serf's"] = [Of(Query)],
        ["answer of serf's to nobody's query"] = [Of(new SerfMessage.Response(9, 99, "foreigner", QueryFlags.Ack, []))],
        ["user message that nobody reads"] = [new GossipMessage.User([200, 1, 2, 3])],
    };

    private readonly GossipEffects effects = new();
    private readonly Prng prng = new(3);
    private Instant now = new(1_000_000_000);
    private readonly Keyring keys;
    private readonly Swim swim;

    public ReceiveAllocationTests()
        : this(Sealed)
    {
    }

    private ReceiveAllocationTests(Keyring keys)
    {
        this.keys = keys;
        swim = new("me", At(1), default, Boot, SwimOptions.Lan with { SettleTime = TimeSpan.Zero }, keys, new(1));
        swim.Subscribe("net", now, effects);
        swim.Put("net", "k", new byte[9], now, effects);
        swim.Settle(now, effects);
        Receive(
            Alive("peer", 2, 3), Alive("foreigner", 3, 3) with { BootId = 0 }, Alive("suspect", 4, 3), Alive("dead", 6, 3),
            Alive("tagged", 5, 3) with { Meta = Tagged }, new GossipMessage.Suspect(3, "suspect", "peer"),
            new GossipMessage.Dead(3, "dead", "peer"), Tables(new TableMessage.Delta(
                "", "peer", Boot, 0, 1, 1, 0, 0, [new("net", 1, ReadOnlyMemory<byte>.Empty)])), Tables(Write(1)), Tables(Write(2)),
            Of(new SerfMessage.Join(9, "foreigner")), Of(new SerfMessage.Leave(9, "suspect", false)),
            Of(new SerfMessage.Event(9, "deploy", [1, 2, 3], true)), Of(Query));
        for (int i = 0; swim.QueuedRumours > 0; i++)
        {
            Assert.True(i < 1000, "rumours are told with answers until they are told enough");
            Receive(Kinds["ping of ours"]);
        }

        Assert.Equal(0, swim.Counters.Rejected + swim.Counters.Refused);
    }

    public static TheoryData<string> Names => [.. Kinds.Keys];

    private static byte[] Tagged => Tags.Encode(
        new SortedDictionary<string, string>(StringComparer.Ordinal) { [Tags.BootKey] = "7", ["role"] = "a" });

    [Theory]
    [MemberData(nameof(Names))]
    public void It_costs_nothing(string kind)
    {
        Check(kind);
        new ReceiveAllocationTests(Keyring.Plaintext).Check(kind);
    }

    [Fact]
    public void An_equal_summary_costs_nothing()
    {
        ulong fingerprint = swim.Summarize("net")!.Fingerprint;
        Assert.Equal(0, Allocated(Tables(new TableMessage.Summary([new("net", fingerprint), new("elsewhere", 4)]))));
        Assert.Empty(effects.Datagrams);
        Assert.NotEqual(0, Allocated(Tables(new TableMessage.Summary([new("net", fingerprint + 1)]))));
    }

    /// <summary>The question comes, is passed on, answered, and the answer goes back.</summary>
    [Fact]
    public void Pinging_for_others_costs_nothing()
    {
        byte[] request = Packet(new GossipMessage.IndirectPing(9, At(3), "foreigner", true, Peer, "peer"));
        long least = long.MaxValue;
        for (int i = 0; i < 2 * Times; i++)
        {
            long allocated = Cost(request);
            (IPEndPoint to, GossipMessage sent) = Sent();
            Assert.Equal(At(3), to);
            byte[] answer = Packet(new GossipMessage.Ack(((GossipMessage.Ping)sent).SequenceNumber, []));
            allocated += Cost(answer);
            Assert.Equal((Peer, 9U), (Sent().To, ((GossipMessage.Ack)Sent().Message).SequenceNumber));
            least = Math.Min(least, allocated);
        }

        Assert.Equal(0, least);
    }

    /// <summary>Probes are answered, each at a time of its own, and this node's place moves by it.</summary>
    [Fact]
    public void An_answer_to_a_probe_costs_nothing()
    {
        SortedDictionary<string, long> least = new(StringComparer.Ordinal);
        Coordinate before = swim.Coordinate;
        int answered = 0;
        swim.Start(now, effects);
        for (int i = 0; i < 100_000 && answered < 2 * Times; i++)
        {
            now = Instant.Min(now + TimeSpan.FromSeconds(1), swim.NextDeadline);
            effects.Clear();
            swim.Advance(now, effects);
            foreach (GossipMessage.Ping ping in Pings())
            {
                now += TimeSpan.FromMilliseconds(1 + (answered % 3));
                long cost = Cost(Packet(new GossipMessage.Ack(ping.SequenceNumber, ping.Node == "foreigner"
                    ? CoordinatePayload.Encode(Coordinate.Origin) : CoordinatePayload.EncodeShort(Coordinate.Origin))), FromOf(ping.Node));
                least[ping.Node] = Math.Min(cost, least.GetValueOrDefault(ping.Node, long.MaxValue));
                answered++;
            }
        }

        Assert.True(answered >= Times, "probes are sent");
        Assert.NotEqual(before, swim.Coordinate);
        Assert.All(least, static l => Assert.Equal((l.Key, 0), (l.Key, l.Value)));
    }

    /// <summary>The test above can fail: what brings news does allocate.</summary>
    [Fact]
    public void News_is_kept()
    {
        Assert.NotEqual(0, Cost(Packet(Alive("peer", 2, 4))));
        Assert.Equal(4U, swim.Find("peer")!.Incarnation);
    }

    private static IPEndPoint At(byte host) => new(new IPAddress([10, 0, 0, host]), 7946);

    private static GossipMessage.Alive Alive(string name, byte host, uint incarnation) =>
        new(incarnation, name, At(host), [], Versions, Boot);

    private static TableMessage.Delta Write(ulong version) => new(
        "net", "peer", Boot, version - 1, version, version, 1, 0, [new($"k{version}", version, new byte[60])]);

    private static SerfMessage.Query Query => new(
        9, 4, At(3), "foreigner", [], QueryFlags.NoBroadcast, 0, TimeSpan.FromSeconds(5), "uptime", [1]);

    private static GossipMessage.User Of(SerfMessage message) => new(SerfWriter.Encode(message));

    private static IPEndPoint FromOf(string name) => name switch
    {
        "peer" => At(2),
        "foreigner" => At(3),
        "suspect" => At(4),
        _ => At(5),
    };

    private static GossipMessage.User Tables(params TableMessage[] messages) => new(TableCodec.Encode("peer", messages));

    private void Check(string kind)
    {
        (long rejected, long refused) = (swim.Counters.Rejected, swim.Counters.Refused);
        Assert.Equal(0, Allocated(Kinds[kind]));
        Assert.True(swim.Counters.Rejected == rejected || kind.StartsWith("user", StringComparison.Ordinal));
        Assert.True(swim.Counters.Refused == refused || kind.EndsWith("somebody else", StringComparison.Ordinal));
        Assert.Empty(effects.Events);
    }

    private long Allocated(params GossipMessage[] messages)
    {
        byte[] packet = Packet(messages);
        return Allocations.Least(() =>
        {
            for (int i = 0; i < Times; i++)
            {
                Cost(packet);
            }
        });
    }

    private long Cost(byte[] packet) => Cost(packet, Peer);

    private long Cost(byte[] packet, IPEndPoint from)
    {
        effects.Clear();
        long before = GC.GetAllocatedBytesForCurrentThread();
        swim.Receive(from, packet, now, effects);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private void Receive(params GossipMessage[] messages) => Cost(Packet(messages));

    private byte[] Packet(params GossipMessage[] messages) => PacketCodec.Encode(messages, keys, prng, crc: messages.Length > 1);

    private List<GossipMessage.Ping> Pings()
    {
        List<GossipMessage> messages = [];
        foreach (Datagram datagram in effects.Datagrams)
        {
            Assert.True(PacketCodec.TryDecode(datagram.Payload.Span, keys, messages, out _));
        }

        return [.. messages.OfType<GossipMessage.Ping>()];
    }

    private (IPEndPoint To, GossipMessage Message) Sent()
    {
        List<GossipMessage> messages = [];
        Datagram datagram = Assert.Single(effects.Datagrams);
        Assert.True(PacketCodec.TryDecode(datagram.Payload.Span, keys, messages, out _));
        return (datagram.To, messages[0]);
    }
}
