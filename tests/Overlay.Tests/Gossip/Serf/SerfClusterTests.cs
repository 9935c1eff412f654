using System.Net;
using System.Text;
using Overlay.Gossip;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;

namespace Overlay.Tests.Gossip.Serf;

/// <summary>serf's layer in the running protocol, with a foreigner whose packets are made by hand.</summary>
public sealed class SerfClusterTests
{
    private static readonly IPEndPoint Foreigner = new(IPAddress.Parse("10.9.9.9"), 7946);
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [Fact]
    public void Ours_alone_say_nothing_of_serf()
    {
        GossipCluster cluster = GossipCluster.Of(5, 31);
        cluster.Recording = true;
        cluster.Run(Second * 60);
        Assert.DoesNotContain(cluster.Recorded, r => Said(r.Payload).Any());
        Assert.All(cluster.Live, n => Assert.Empty(n.Swim.UserEvents));
    }

    [Fact]
    public void A_foreigner_is_greeted_and_shown_by_its_tags()
    {
        GossipCluster cluster = WithForeigner(3, 32);
        Member? foreigner = cluster[2].Swim.Find("serf-1");
        Assert.NotNull(foreigner);
        Assert.True(foreigner.IsForeign);
        Assert.Equal("web", Tags.Decode(foreigner.Meta.Span)["role"]);
        Assert.False(cluster[2].Swim.Find("node-00")!.IsForeign);
        cluster.Recording = true;
        cluster.Inject(0, Foreigner, Seal(Alive("serf-2")));
        cluster.Run(Second);
        Assert.DoesNotContain(cluster.Recorded, r => Said(r.Payload).OfType<SerfMessage.Join>().Any());

        GossipCluster other = GossipCluster.Of(3, 33);
        other.Recording = true;
        other.Inject(0, Foreigner, Seal(Alive("serf-1")));
        other.Run(Second * 3);
        Assert.Equal(
            ["node-00", "node-01", "node-02"],
            other.Recorded.SelectMany(r => Said(r.Payload)).OfType<SerfMessage.Join>().Select(j => j.Node).Distinct().Order());
    }

    [Fact]
    public void An_event_reaches_everybody_once()
    {
        GossipCluster cluster = GossipCluster.Of(12, 34);
        cluster.Loss = 0.1;
        cluster.Duplication = 0.1;
        cluster.Run(Second * 5);
        cluster.Do(3, (s, now, e) => Assert.True(s.Tell("deploy", "42"u8.ToArray(), now, e)));
        cluster.Do(4, (s, now, e) => Assert.True(s.Tell("deploy", "43"u8.ToArray(), now, e)));
        cluster.RunUntil(Second * 60, () => cluster.Live.All(n => Happened(n).Count() == 2));
        cluster.Run(Second * 60);
        Assert.All(cluster.Live, n => Assert.Equal(["deploy 42", "deploy 43"], Happened(n).Order()));
        Assert.All(cluster.Live, n => Assert.Equal(2, n.Swim.UserEvents.Count));
    }

    [Fact]
    public void A_newcomer_is_not_told_what_was_before()
    {
        GossipCluster cluster = GossipCluster.Of(3, 35);
        cluster.Run(Second);
        cluster.Do(0, (s, now, e) => s.Tell("old", default, now, e));
        cluster.Run(Second * 5);
        cluster.Start(3, 0);
        cluster.Run(Second * 60);
        Assert.Empty(Happened(cluster[3]));
        cluster.Do(0, (s, now, e) => s.Tell("new", default, now, e));
        cluster.Run(Second * 5);
        Assert.Equal(["new "], Happened(cluster[3]));
    }

    [Fact]
    public void An_event_missed_behind_a_partition_comes_with_the_next_exchange()
    {
        GossipCluster cluster = GossipCluster.Of(4, 36);
        cluster.Run(Second * 5);
        cluster.Reachable = (a, b) => a != "node-03" && b != "node-03";
        cluster.Do(0, (s, now, e) => s.Tell("missed", default, now, e));
        cluster.Run(Second * 5);
        cluster.Reachable = (_, _) => true;
        cluster.RunUntil(Second * 90, () => Happened(cluster[3]).Any());
    }

    [Fact]
    public void Too_long_an_event_is_not_told()
    {
        GossipCluster cluster = GossipCluster.Of(2, 37);
        cluster.Do(0, (s, now, e) => Assert.False(s.Tell("big", new byte[600], now, e)));
        cluster.Do(0, (s, now, e) => Assert.Null(s.Ask("big", new byte[1100], [], Second, now, e)));
    }

    [Fact]
    public void Everybody_says_that_a_query_came()
    {
        GossipCluster cluster = GossipCluster.Of(8, 38);
        cluster.Run(Second * 5);
        uint? id = null;
        cluster.Do(2, (s, now, e) => id = s.Ask("anyone", default, [], s.DefaultQueryTimeout, now, e));
        cluster.Run(Second * 10);
        GossipEvent.QueryAnswered[] acks =
            [.. cluster[2].Events.OfType<GossipEvent.QueryAnswered>().Where(a => a.Query == id && a.Payload is null)];
        Assert.Equal(8, acks.Select(a => a.From).Distinct().Count());
        Assert.Equal(8, acks.Length);
        Assert.Single(cluster[2].Events.OfType<GossipEvent.QueryEnded>());

        cluster.Do(2, (s, now, e) => id = s.Ask("some", default, ["node-05"], Second * 3, now, e));
        cluster.Run(Second * 10);
        Assert.Equal(
            ["node-05"],
            cluster[2].Events.OfType<GossipEvent.QueryAnswered>().Where(a => a.Query == id).Select(a => a.From));
    }

    [Fact]
    public void Keys_are_rotated_by_queries_and_nobody_is_lost()
    {
        GossipCluster cluster = WithForeigner(5, 39);
        byte[] key = [.. Enumerable.Repeat((byte)9, 32)];
        byte[] old = [.. GossipCluster.Keys.Keys[0]];
        KeyQuery(cluster, 0, KeyQueries.Install, key);
        Assert.All(cluster.Live, n => Assert.Equal([old, key], n.Swim.Keyring.Keys));
        KeyQuery(cluster, 1, KeyQueries.Use, key);
        KeyQuery(cluster, 2, KeyQueries.Remove, old);
        Assert.All(cluster.Live, n => Assert.Equal([key], n.Swim.Keyring.Keys));
        Assert.All(cluster.Live, n => Assert.Equal(3, n.Events.OfType<GossipEvent.KeyringChanged>().Count()));
        cluster.Run(Second * 30);
        Assert.All(cluster.Live, n => Assert.Equal(
            5, n.Swim.Members.Count(m => m is { IsForeign: false, State: MemberState.Alive })));
    }

    [Theory]
    [InlineData(KeyQueries.Install, 16, "32 bytes")]
    [InlineData(KeyQueries.Use, 32, "not in the keyring")]
    public void A_wrong_key_is_refused(string query, int length, string why)
    {
        GossipCluster cluster = WithForeigner(2, 40);
        byte[] answer = KeyQuery(cluster, 0, query, new byte[length]);
        Assert.Contains(why, Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
        Assert.Equal(GossipCluster.Keys.Keys, cluster[0].Swim.Keyring.Keys);
    }

    [Fact]
    public void A_key_that_is_gone_is_removed()
    {
        GossipCluster cluster = WithForeigner(2, 43);
        byte[] refused = KeyQuery(cluster, 0, KeyQueries.Use, new byte[32]);
        byte[] answer = KeyQuery(cluster, 0, KeyQueries.Remove, new byte[32]);
        Assert.True(answer.Length < refused.Length, "it has no word of complaint");
        Assert.Equal(GossipCluster.Keys.Keys, cluster[0].Swim.Keyring.Keys);
    }

    [Theory]
    [InlineData(KeyQueries.List)]
    [InlineData(KeyQueries.Install)]
    public void Nothing_is_said_of_keys_under_one_that_is_known_outside(string query)
    {
        GossipCluster cluster = WithForeigner(2, 44);
        byte[] old = GossipCluster.Keys.Keys[0];
        cluster.Do(0, (s, _, _) => s.SetKeyring(new([old, new byte[32]]) { IsRevoked = true }));
        Assert.True(KeyAnswer.TryRead(KeyQuery(cluster, 0, query, old), out KeyAnswer? answer));
        Assert.False(answer.Done);
        Assert.Empty(answer.Keys);
        cluster.Do(0, (s, _, _) => s.SetKeyring(new([new byte[32], old])));
        Assert.True(KeyAnswer.TryRead(KeyQuery(cluster, 0, KeyQueries.List, old), out answer));
        Assert.True(answer.Done);
        Assert.Equal(2, answer.Keys.Count);
    }

    [Fact]
    public void The_sealing_key_is_not_removed()
    {
        GossipCluster cluster = WithForeigner(2, 41);
        byte[] answer = KeyQuery(cluster, 0, KeyQueries.Remove, GossipCluster.Keys.Keys[0]);
        Assert.Contains("primary", Encoding.UTF8.GetString(answer), StringComparison.Ordinal);
    }

    [Fact]
    public void Nobody_can_say_of_us_that_we_leave()
    {
        GossipCluster cluster = WithForeigner(3, 42);
        cluster.Recording = true;
        cluster.Inject(0, Foreigner, Seal(new SerfMessage.Leave(50, "node-00", true)));
        cluster.Run(Second * 5);
        Assert.Contains(
            cluster.Recorded.SelectMany(r => Said(r.Payload)),
            m => m is SerfMessage.Join { Node: "node-00", Time: > 50 });
        Assert.All(cluster.Live, n => Assert.Equal(SerfStatus.Alive, n.Swim.StatusOf("node-00")));
    }

    [Fact]
    public void A_dead_foreigner_leaves_by_force_and_one_of_ours_does_not()
    {
        GossipCluster cluster = WithForeigner(4, 43);
        cluster.Crash(3);
        cluster.RunUntil(Second * 60, () => cluster[0].Swim.StatusOf("serf-1") == SerfStatus.Failed);
        cluster.RunUntil(Second * 60, () => cluster[0].Swim.Find("node-03")!.State == MemberState.Dead);
        cluster.Do(0, (s, now, e) =>
        {
            Assert.False(s.ForceLeave("node-03", false, now, e));
            Assert.False(s.ForceLeave("nobody", false, now, e));
            Assert.True(s.ForceLeave("serf-1", false, now, e));
        });
        // It never answered anybody, so a node that missed the first news of it never heard of it at all.
        cluster.RunUntil(
            Second * 5, () => cluster.Live.All(n => n.Swim.Find("serf-1") is null or { State: MemberState.Left }));
        Assert.Equal(MemberState.Left, cluster[0].Swim.Find("serf-1")!.State);
        cluster.Inject(0, Foreigner, Seal(new SerfMessage.Leave(900, "node-03", true)));
        cluster.Run(Second * 5);
        Assert.All(cluster.Live, n => Assert.Equal(MemberState.Dead, n.Swim.Find("node-03")!.State));
    }

    [Fact]
    public void A_leaving_foreigner_is_left_not_failed()
    {
        GossipCluster cluster = WithForeigner(3, 44);
        cluster.Inject(0, Foreigner, Seal(new SerfMessage.Leave(9, "serf-1", false)));
        Assert.Equal(SerfStatus.Leaving, cluster[0].Swim.StatusOf("serf-1"));
        cluster.Inject(0, Foreigner, Seal(new GossipMessage.Dead(1, "serf-1", "serf-1")));
        cluster.Run(Second * 2);
        Assert.All(cluster.Live, n => Assert.Equal(SerfStatus.Left, n.Swim.StatusOf("serf-1")));
    }

    [Fact]
    public void Our_farewell_says_that_it_is_one()
    {
        GossipCluster cluster = WithForeigner(3, 45);
        cluster.Recording = true;
        cluster.Do(1, (s, now, e) => s.Leave(now, e));
        cluster.Run(Second);
        Assert.Contains(
            cluster.Recorded.Where(r => r.From.Equals(cluster[1].Address)).SelectMany(r => Said(r.Payload)),
            m => m is SerfMessage.Leave { Node: "node-01" });
    }

    [Fact]
    public void Foreigners_are_sent_nothing_of_our_tables()
    {
        GossipCluster cluster = WithForeigner(3, 46);
        List<GossipMessage> toForeigner = [];
        cluster.Do(0, (s, now, e) =>
        {
            s.Subscribe("net", now, e);
            s.Put("net", "k", "v"u8.ToArray(), now, e);
            s.Tell("happened", default, now, e);
        });
        for (int i = 0; i < 200; i++)
        {
            cluster.Do(0, (s, now, e) =>
            {
                s.Advance(now, e);
                foreach (Datagram datagram in e.Datagrams.Where(d => d.To.Equals(Foreigner)))
                {
                    PacketCodec.TryDecode(datagram.Payload.Span, GossipCluster.Keys, toForeigner, out _);
                }
            });
            cluster.Run(Second / 10);
        }

        GossipMessage.PushPull request = new(true, [], SerfWriter.Encode(SerfState.Empty));
        cluster.Do(0, (s, now, e) =>
        {
            s.ReceiveStream(77, Foreigner, StreamCodec.Encode(request, GossipCluster.Keys, new(1)), now, e);
            StreamReply reply = Assert.Single(e.Replies);
            Assert.True(StreamCodec.TryDecode(reply.Response.Span, GossipCluster.Keys, out GossipMessage? answer, out _));
            byte[] state = Assert.IsType<GossipMessage.PushPull>(answer).UserState;
            Assert.True(SerfReader.TryReadState(state, out SerfState? read, out ReadOnlySpan<byte> rest));
            Assert.True(rest.IsEmpty);
            Assert.Equal("happened", Assert.Single(read.Events).Name);
            e.Replies.Clear();
        });
        GossipMessage.User[] heard = [.. toForeigner.OfType<GossipMessage.User>()];
        Assert.NotEmpty(heard);
        Assert.All(heard, u => Assert.True(u.Payload[0] <= 9));
    }

    [Fact]
    public void A_description_that_lost_its_boot_id_on_the_way_has_it_in_its_tags()
    {
        GossipCluster cluster = GossipCluster.Of(2, 47);
        byte[] meta = Tags.Encode(new SortedDictionary<string, string> { [Tags.BootKey] = "64" });
        cluster.Inject(0, Foreigner, Seal(Alive("node-77") with { Meta = meta }));
        Assert.Equal(100UL, cluster[0].Swim.Find("node-77")!.BootId);
    }

    [Fact]
    public void Strangers_are_neither_answered_nor_relayed_to()
    {
        GossipCluster cluster = WithForeigner(2, 48);
        IPEndPoint stranger = new(IPAddress.Parse("10.66.0.1"), 53);
        byte[] answer = SerfWriter.Encode(new SerfMessage.Response(1, 2, "a", QueryFlags.Ack, []));
        cluster.Do(0, (s, now, e) =>
        {
            s.Receive(Foreigner, Seal(Query(3, "x", []) with { Source = stranger }), now, e);
            s.Receive(Foreigner, Seal(Query(4, "x", []) with { Source = stranger, SourceNode = "who" }), now, e);
            s.Receive(Foreigner, Seal(new SerfMessage.Relay(stranger, "", answer)), now, e);
            s.Receive(Foreigner, Seal(new SerfMessage.Relay(stranger, "serf-1", answer)), now, e);
            Assert.Empty(e.Datagrams);
            s.Receive(Foreigner, Seal(new SerfMessage.Relay(Foreigner, "serf-1", answer)), now, e);
            Assert.Equal(Foreigner, Assert.Single(e.Datagrams).To);
            e.Datagrams.Clear();
        });
    }

    [Fact]
    public void A_conflict_is_answered_with_what_is_known()
    {
        GossipCluster cluster = WithForeigner(2, 49);
        byte[] known = Answers(cluster, 0, Query(5, "_serf_conflict", "node-01"u8.ToArray())).Last();
        Assert.Equal((byte)SerfType.ConflictResponse, known[0]);
        Assert.Contains("node-01", Encoding.UTF8.GetString(known), StringComparison.Ordinal);
        Assert.Equal([6, 0xc0], Answers(cluster, 0, Query(6, "_serf_conflict", "nobody"u8.ToArray())).Last());
        Assert.Single(Answers(cluster, 0, Query(7, "_serf_conflict", "node-00"u8.ToArray())));
    }

    private static GossipCluster WithForeigner(int count, ulong seed)
    {
        GossipCluster cluster = GossipCluster.Of(count, seed);
        cluster.Run(Second * 3);
        cluster.Inject(0, Foreigner, Seal(Alive("serf-1")));
        cluster.Run(Second * 2);
        return cluster;
    }

    private static GossipMessage.Alive Alive(string name) => new(
        1, name, Foreigner, Tags.Encode(new SortedDictionary<string, string> { ["role"] = "web" }), [1, 5, 2, 2, 5, 5], 0);

    private static SerfMessage.Query Query(ulong time, string name, byte[] payload) => new(
        time, (uint)time, Foreigner, "serf-1", [], QueryFlags.Ack, 0, Second * 5, name, payload);

    private static byte[] KeyQuery(GossipCluster cluster, int index, string name, byte[] key)
    {
        ulong time = cluster[index].Swim.Counters.DatagramsReceived is var n ? (ulong)n % 400 + 10 : 0;
        byte[] payload = [7, 0x81, 0xa3, .. "Key"u8, 0xda, 0, (byte)key.Length, .. key];
        byte[] answer = Answers(cluster, index, Query(time, name, payload)).Last();
        Assert.Equal((byte)SerfType.KeyResponse, answer[0]);
        cluster.Run(Second * 5);
        return answer;
    }

    private static List<byte[]> Answers(GossipCluster cluster, int index, SerfMessage.Query query)
    {
        List<byte[]> answers = [];
        cluster.Do(index, (s, now, e) =>
        {
            s.Receive(Foreigner, PacketCodec.Encode(
                [new GossipMessage.User(SerfWriter.Encode(query))], s.Keyring, new(4), false), now, e);
            foreach (Datagram datagram in e.Datagrams.Where(d => d.To.Equals(Foreigner)))
            {
                List<GossipMessage> messages = [];
                PacketCodec.TryDecode(datagram.Payload.Span, s.Keyring, messages, out _);
                answers.AddRange(messages.OfType<GossipMessage.User>()
                    .Select(u => SerfReader.TryRead(u.Payload, out SerfMessage? m) && m is SerfMessage.Response r ? r.Payload : null)
                    .OfType<byte[]>());
            }
        });
        return answers;
    }

    private static byte[] Seal(GossipMessage message) => PacketCodec.Encode([message], GossipCluster.Keys, new(3), false);

    private static byte[] Seal(SerfMessage message) => Seal(new GossipMessage.User(SerfWriter.Encode(message)));

    private static IEnumerable<SerfMessage> Said(byte[] datagram)
    {
        List<GossipMessage> messages = [];
        PacketCodec.TryDecode(datagram, GossipCluster.Keys, messages, out _);
        foreach (GossipMessage.User user in messages.OfType<GossipMessage.User>())
        {
            if (SerfReader.TryRead(user.Payload, out SerfMessage? message))
            {
                yield return message;
            }
        }
    }

    private static IEnumerable<string> Happened(GossipCluster.Node node) => node.Events.OfType<GossipEvent.UserEvent>()
        .Select(e => $"{e.Name} {Encoding.UTF8.GetString(e.Payload.Span)}");
}
