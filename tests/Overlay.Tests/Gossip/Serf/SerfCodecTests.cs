using System.Collections.Immutable;
using System.Net;
using System.Text;
using Overlay.Gossip.Serf;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Wire;

namespace Overlay.Tests.Gossip.Serf;

/// <summary>serf's bytes: those captured from serf 0.9.4, ours against ours, and garbage.</summary>
public sealed class SerfCodecTests
{
    private static readonly ImmutableSortedDictionary<string, string> NoTags =
        ImmutableSortedDictionary<string, string>.Empty;

    private static IEnumerable<byte[]> Captured => WireVector.All.Where(static v => v.IsDatagram)
        .SelectMany(static v => v.Decode()).OfType<GossipMessage.User>().Select(static u => u.Payload);

    [Fact]
    public void Captured_messages_are_read_and_written_the_same()
    {
        Assert.True(Captured.Count() >= 4);
        foreach (byte[] payload in Captured)
        {
            Assert.True(SerfReader.TryRead(payload, out SerfMessage? message));
            Assert.Equal(payload, SerfWriter.Encode(message));
        }
    }

    [Fact]
    public void A_captured_query_says()
    {
        SerfMessage.Query query = Assert.IsType<SerfMessage.Query>(Read(Captured.First()));
        Assert.Equal("sA", query.SourceNode);
        Assert.Equal(new(IPAddress.Loopback, 47946), query.Source);
        Assert.True(query.Timeout > TimeSpan.Zero && query.Id != 0 && query.Time > 0);
        SerfMessage.Event happened = Assert.IsType<SerfMessage.Event>(Read(Captured.ElementAt(1)));
        Assert.True(happened.Coalesce);
        Assert.NotEmpty(happened.Name);
    }

    [Fact]
    public void The_leave_intent_seen_on_the_wire()
    {
        byte[] bytes = Convert.FromHexString("0083a54c54696d6514a44e6f6465a3707931a55072756e65c2");
        Assert.Equal(new SerfMessage.Leave(20, "py1", false), Read(bytes));
        Assert.Equal(bytes, SerfWriter.Encode(Read(bytes)));
    }

    [Fact]
    public void A_captured_state_is_read_with_its_512_ticks()
    {
        GossipMessage.PushPull exchange = WireVector.All.Where(static v => !v.IsDatagram)
            .SelectMany(static v => v.Decode()).OfType<GossipMessage.PushPull>().First();
        Assert.True(SerfReader.TryReadState(exchange.UserState, out SerfState? state, out ReadOnlySpan<byte> rest));
        Assert.True(rest.IsEmpty);
        Assert.Equal((1UL, 1UL, 1UL), (state.Time, state.EventTime, state.QueryTime));
        Assert.Equal([KeyValuePair.Create("sA", 0UL)], state.StatusTimes);
        Assert.Empty(state.Events);
        Assert.Empty(state.Left);
    }

    [Fact]
    public void A_state_comes_back_and_gives_what_follows_it()
    {
        SerfState state = new(
            7, 300, 70_000, [KeyValuePair.Create("a", 1UL), KeyValuePair.Create("b", 1UL << 40)], ["b"],
            [new(5, "one", [1], false), new(5, "two", [], false), new(9, "three", [2, 3], false)]);
        Assert.True(SerfReader.TryReadState(
            [.. SerfWriter.Encode(state), (byte)'O', 1, 2], out SerfState? read, out ReadOnlySpan<byte> rest));
        Assert.Equal([(byte)'O', 1, 2], rest.ToArray());
        Assert.Equal((state.Time, state.EventTime, state.QueryTime), (read.Time, read.EventTime, read.QueryTime));
        Assert.Equal(state.StatusTimes, read.StatusTimes);
        Assert.Equal(state.Left, read.Left);
        Assert.Equal(state.Events.Select(Text), read.Events.Select(Text));
    }

    [Fact]
    public void Random_messages_come_back()
    {
        Prng prng = new(11);
        for (int i = 0; i < 3000; i++)
        {
            SerfMessage message = Random(prng);
            byte[] bytes = SerfWriter.Encode(message);
            Assert.Equal(bytes, SerfWriter.Encode(Read(bytes)));
        }
    }

    [Fact]
    public void Garbage_is_refused_or_makes_sense()
    {
        Prng prng = new(12);
        byte[][] seeds = [.. Captured, .. Enumerable.Range(0, 40).Select(_ => SerfWriter.Encode(Random(prng)))];
        SerfState state = new(7, 300, 70_000, [KeyValuePair.Create("a", 1UL)], ["b"], [new(5, "one", [1], false)]);
        byte[] states = SerfWriter.Encode(state);
        for (int i = 0; i < 60_000; i++)
        {
            byte[] bytes = Mutated(i % 3 == 0 ? states : seeds[prng.Next(seeds.Length)], prng);
            if (SerfReader.TryRead(bytes, out SerfMessage? message))
            {
                SerfWriter.Encode(message);
            }

            SerfReader.TryReadState(bytes, out _, out _);
            SerfReader.TryReadKey(bytes, out _);
            Tags.Decode(bytes);
            QueryFilter.Passes(bytes, "a", NoTags);
        }
    }

    [Fact]
    public void Only_answers_are_relayed()
    {
        byte[] answer = SerfWriter.Encode(new SerfMessage.Response(1, 2, "a", QueryFlags.Ack, []));
        byte[] happened = SerfWriter.Encode(new SerfMessage.Event(1, "x", [], false));
        Assert.True(SerfReader.TryRead(SerfWriter.Encode(new SerfMessage.Relay(Somewhere, "b", answer)), out _));
        Assert.False(SerfReader.TryRead(SerfWriter.Encode(new SerfMessage.Relay(Somewhere, "b", happened)), out _));
    }

    [Fact]
    public void Clocks_near_their_end_are_refused()
    {
        Assert.False(SerfReader.TryRead(SerfWriter.Encode(new SerfMessage.Join(ulong.MaxValue, "a")), out _));
        Assert.False(SerfReader.TryRead(SerfWriter.Encode(new SerfMessage.Event(ulong.MaxValue, "a", [], true)), out _));
    }

    [Fact]
    public void Tags_are_serfs()
    {
        Assert.Equal("FF81A4726F6C65A3776562", Convert.ToHexString(Tags.Encode(NoTags.Add("role", "web"))));
        Assert.Equal("web", Tags.Decode(Convert.FromHexString("FF82A16BA176A4726F6C65A3776562"))["role"]);
        Assert.Equal("plain", Tags.Decode("plain"u8)["role"]);
        Assert.Empty(Tags.Decode([]));
        Assert.Empty(Tags.Decode([0xff, 0x82, 0xa1]));
    }

    [Fact]
    public void The_boot_id_is_in_the_tags()
    {
        byte[] meta = Tags.Encode(NoTags.Add(Tags.BootKey, "").Add("host", "h"));
        Assert.Equal(0x1234UL, Tags.BootOf(Tags.WithBoot(meta, 0x1234)));
        Assert.Equal("h", Tags.Decode(Tags.WithBoot(meta, 1))["host"]);
        Assert.Equal([7], Tags.WithBoot([7], 5));
        Assert.Equal(0UL, Tags.BootOf("overlayd"u8));
    }

    [Theory]
    [InlineData("web", "^web$", true)]
    [InlineData("web", "e", true)]
    [InlineData("web", "db", false)]
    [InlineData("web", "(", false)]
    public void Tags_are_filtered_by_expression(string role, string expression, bool passes)
    {
        byte[] filter = [1, 0x82, 0xa4, .. "Expr"u8, (byte)(0xa0 + expression.Length), .. Encoding.ASCII.GetBytes(expression),
            0xa3, .. "Tag"u8, 0xa4, .. "role"u8];
        Assert.Equal(passes, QueryFilter.Passes(filter, "a", NoTags.Add("role", role)));
    }

    [Fact]
    public void Names_are_filtered()
    {
        Assert.True(QueryFilter.Passes(QueryFilter.Nodes(["a", "b"]), "b", NoTags));
        Assert.False(QueryFilter.Passes(QueryFilter.Nodes(["a", "b"]), "c", NoTags));
        Assert.False(QueryFilter.Passes([9], "c", NoTags));
        Assert.False(QueryFilter.Passes([], "c", NoTags));
    }

    private static IPEndPoint Somewhere => new(IPAddress.Parse("10.1.2.3"), 7946);

    private static SerfMessage Read(byte[] payload)
    {
        Assert.True(SerfReader.TryRead(payload, out SerfMessage? message));
        return message;
    }

    private static string Text(SerfMessage.Event e) => $"{e.Time} {e.Name} {Convert.ToHexString(e.Payload)}";

    private static byte[] Mutated(byte[] from, Prng prng)
    {
        byte[] bytes = [.. from.AsSpan(0, prng.Chance(0.3) ? prng.Next(from.Length + 1) : from.Length)];
        for (int flips = prng.Next(4); flips > 0 && bytes.Length > 0; flips--)
        {
            bytes[prng.Next(bytes.Length)] = (byte)prng.NextUInt64();
        }

        return bytes;
    }

    private static SerfMessage Random(Prng prng)
    {
        byte[] Bytes(int max)
        {
            byte[] bytes = new byte[prng.Next(max)];
            prng.Fill(bytes);
            return bytes;
        }

        string Name() => new('n', prng.Next(40) + 1);
        ulong Time() => prng.NextUInt64() >> (2 + prng.Next(60));
        IPEndPoint at = prng.Chance(0.5) ? Somewhere : new(IPAddress.IPv6Loopback, 1);
        return prng.Next(6) switch
        {
            0 => new SerfMessage.Join(Time(), Name()),
            1 => new SerfMessage.Leave(Time(), Name(), prng.Chance(0.5)),
            2 => new SerfMessage.Event(Time(), Name(), Bytes(500), prng.Chance(0.5)),
            3 => new SerfMessage.Query(
                Time(), (uint)prng.NextUInt64(), at, Name(), prng.Chance(0.5) ? [] : [[0, 0x90], [1, 0x80]],
                (QueryFlags)prng.Next(4), (byte)prng.Next(6), TimeSpan.FromSeconds(prng.Next(60)), Name(), Bytes(200)),
            4 => new SerfMessage.Response(Time(), (uint)prng.NextUInt64(), Name(), (QueryFlags)prng.Next(2), Bytes(300)),
            _ => new SerfMessage.Relay(at, Name(), [5, .. Bytes(50)]),
        };
    }

    [Fact]
    public void An_answer_about_keys_is_whole_or_none()
    {
        byte[] whole = SerfWriter.KeyResponse(true, "fine", ["a2V5", "b3RoZXI="], "a2V5");
        Assert.True(KeyAnswer.TryRead(whole, out KeyAnswer? answer));
        Assert.True(answer.Done);
        Assert.Equal(["a2V5", "b3RoZXI="], answer.Keys);
        for (int length = 0; length < whole.Length; length++)
        {
            Assert.False(KeyAnswer.TryRead(whole.AsSpan(0, length), out _));
        }

        Assert.False(KeyAnswer.TryRead(SerfWriter.KeyResponse(true, "", [.. Enumerable.Repeat("k", 65)], ""), out _));
        byte[] none = [8, 0x82, 0xa4, .. "Keys"u8, 0xc0, 0xa6, .. "Result"u8, 0xc3];
        Assert.True(KeyAnswer.TryRead(none, out answer));
        Assert.Equal((true, 0), (answer.Done, answer.Keys.Count));
    }
}
