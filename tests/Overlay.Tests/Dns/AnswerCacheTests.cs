using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

/// <summary>What is kept of the servers' answers, as a client sees it.</summary>
public sealed class AnswerCacheTests
{
    private static readonly ImmutableArray<IPEndPoint> Servers = [IPEndPoint.Parse("192.0.2.1:53"), IPEndPoint.Parse("192.0.2.2:53")];

    /// <summary>The start of authority of RFC 2308's example: TTL 3600, minimum 30.</summary>
    private static readonly byte[] Authority = Packets.Hex(
        "00 0006 0001 00000e10 001a 016100 016200 00000001 00000001 00000001 00000001 0000001e");

    private readonly UpstreamEffects effects = new();
    private UpstreamQueries queries = new(new() { CacheEntries = 3 }, new Prng(1));
    private long lastTicket;

    [Fact]
    public void An_answer_is_repeated_with_what_is_left_of_its_time()
    {
        Learn("www.example.org", Record(100), Record(300));
        UpstreamReply reply = Ask("WWW.Example.ORG", at: 40, id: 0x7777);
        Assert.Equal((AnswerSource.Cache, UpstreamFailure.None), (reply.Source, reply.Failure));
        Assert.Equal(0x7777, BinaryPrimitives.ReadUInt16BigEndian(reply.Packet));
        Assert.Equal("WWW"u8, reply.Packet.AsSpan(13, 3));
        Assert.Equal([60, 260], Ttls(reply.Packet));
        Assert.Equal([1, 201], Ttls(Ask("www.example.org", at: 99).Packet));
        AsksServers("www.example.org", at: 100);
    }

    [Fact]
    public void It_is_the_answer_to_that_question_alone()
    {
        Learn("x", Record(100));
        AsksServers("y", at: 1);
        AsksServers("x.y", at: 1);
        AsksServers("x", at: 1, RecordType.Aaaa);
        AsksServers("x", at: 1, edns: 1232);
        AsksServers("x", at: 1, flags: 0);
        AsksServers("x", at: 1, flags: 0x0110);
        Assert.Equal(AnswerSource.Cache, Ask("x", at: 1).Source);
    }

    [Fact]
    public void An_answer_is_cut_to_what_the_client_takes()
    {
        Learn("x", [.. Enumerable.Repeat(Record(100), 60)]);
        Assert.Equal(0x02, Ask("x", at: 1).Packet[2] & 0x02);
        Assert.Equal(0, Ask("x", at: 1, tcp: true).Packet[2] & 0x02);
    }

    [Theory]
    [InlineData(3, 30)]
    [InlineData(0, 30)]
    public void What_does_not_exist_holds_as_long_as_its_authority_says(int code, int seconds)
    {
        LearnPacket("x", packet => Answer(packet, code, [], [Authority]));
        Assert.Equal(AnswerSource.Cache, Ask("x", at: seconds - 1).Source);
        AsksServers("x", at: seconds);
    }

    [Fact]
    public void The_longest_times_are_bounded()
    {
        Learn("x", Record(1_000_000));
        Assert.Equal(AnswerSource.Cache, Ask("x", at: 3599).Source);
        AsksServers("x", at: 3600);
        byte[] patient = [.. Authority];
        BinaryPrimitives.WriteUInt32BigEndian(patient.AsSpan(patient.Length - 4), 86400);
        LearnPacket("y", packet => Answer(packet, 3, [], [patient]));
        Assert.Equal(AnswerSource.Cache, Ask("y", at: 59).Source);
        AsksServers("y", at: 60);
    }

    public static TheoryData<string> NotKept => [.. Cases.Keys];

    private static readonly SortedDictionary<string, Func<byte[], byte[]>> Cases = new(StringComparer.Ordinal)
    {
        ["a TTL of zero"] = packet => Answer(packet, 0, [Record(0)], []),
        ["one TTL of zero among others"] = packet => Answer(packet, 0, [Record(9), Record(0)], []),
        ["a TTL with the topmost bit"] = packet => Answer(packet, 0, [Record(0x80000001)], []),
        ["no such name, and nobody says for how long"] = packet => Answer(packet, 3, [], []),
        ["no such type, and nobody says for how long"] = packet => Answer(packet, 0, [], []),
        ["cut off"] = packet => { byte[] cut = Answer(packet, 0, [Record(9)], []); cut[2] |= 2; return cut; },
        ["shorter than it says"] = packet => Answer(packet, 0, [Record(9)], [])[..^1],
        ["longer than it says"] = packet => [.. Answer(packet, 0, [Record(9)], []), 0],
        ["very long"] = packet => Answer(packet, 0, [.. Enumerable.Repeat(Record(9), 400)], []),
    };

    [Theory]
    [MemberData(nameof(NotKept))]
    public void It_is_not_kept(string what)
    {
        LearnPacket("x", Cases[what]);
        Assert.Equal(0, queries.Kept);
        AsksServers("x", at: 1);
    }

    [Theory]
    [InlineData(252)]
    [InlineData(255)]
    public void Transfers_and_any_are_asked_every_time(int type)
    {
        LearnPacket("x", packet => Answer(packet, 0, [Record(100)], []), (RecordType)type);
        Assert.Equal(0, queries.Kept);
    }

    [Fact]
    public void A_query_with_options_is_its_own()
    {
        byte[] query = [.. Packets.Query("x", edns: 1232), 0, 10, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8];
        query[^13] = 12;
        queries.Start(++lastTicket, 1, query, Servers, false, 1232, At(0), effects);
        UpstreamSend send = Assert.Single(effects.Sends);
        effects.Clear();
        queries.Receive(send.Attempt, send.Server, Answer(send.Packet, 0, [Record(100)], []), At(0), effects);
        Assert.Single(effects.Replies);
        Assert.Equal(0, queries.Kept);
    }

    [Fact]
    public void What_was_not_asked_for_longest_goes_first()
    {
        Learn("a", Record(100));
        Learn("b", Record(100));
        Learn("c", Record(100));
        Assert.Equal(AnswerSource.Cache, Ask("a", at: 1).Source);
        Learn("d", Record(100));
        Assert.Equal(3, queries.Kept);
        Assert.Equal(AnswerSource.Cache, Ask("a", at: 1).Source);
        AsksServers("b", at: 1);
    }

    [Fact]
    public void Its_bytes_are_bounded()
    {
        queries = new(new() { CacheBytes = 1500 }, new Prng(1));
        for (int i = 0; i < 50; i++)
        {
            Learn($"n{i}", Record(100));
        }

        Assert.InRange(queries.Kept, 1, 6);
        Assert.Equal(AnswerSource.Cache, Ask("n49", at: 1).Source);
    }

    [Fact]
    public void None_is_kept_where_none_is_wanted()
    {
        queries = new(new() { CacheEntries = 0 }, new Prng(1));
        Learn("x", Record(100));
        AsksServers("x", at: 1);
    }

    [Fact]
    public void Other_servers_begin_with_nothing_kept()
    {
        Learn("x", Record(100));
        Assert.Equal(AnswerSource.Cache, Ask("x", at: 1, servers: []).Source);
        Assert.Equal(AnswerSource.Cache, Ask("x", at: 1).Source);
        queries.Start(++lastTicket, 1, Packets.Query("x"), [Servers[1]], false, 512, At(1), effects);
        Assert.Single(effects.Sends);
        Assert.Equal(0, queries.Kept);
    }

    [Fact]
    public void Beyond_its_time_it_is_given_where_no_server_answers_soon()
    {
        Learn("x", Record(100));
        queries.Start(++lastTicket, 1, Packets.Query("x"), Servers, false, 512, At(200), effects);
        Assert.Equal(Servers[0], Assert.Single(effects.Sends).Server);
        effects.Clear();

        // Both are asked before the client is told.
        queries.Advance(At(200.9), effects);
        Assert.Equal(Servers[1], Assert.Single(effects.Sends).Server);
        effects.Clear();
        queries.Advance(At(201.7), effects);
        Assert.Empty(effects.Replies);
        queries.Advance(At(201.8), effects);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal((AnswerSource.Stale, UpstreamFailure.Timeout), (reply.Source, reply.Failure));
        Assert.Equal([30], Ttls(reply.Packet));
        Assert.Equal(0, queries.Count);
        effects.Clear();

        // For a while at once, then they are asked again.
        Assert.Equal(AnswerSource.Stale, Ask("x", at: 231).Source);
        UpstreamSend again = AsksServers("x", at: 232);
        queries.Receive(again.Attempt, again.Server, Answer(again.Packet, 0, [Record(50)], []), At(232), effects);
        effects.Clear();
        Assert.Equal(AnswerSource.Cache, Ask("x", at: 233).Source);
        AsksServers("x", at: 282);
    }

    [Fact]
    public void Beyond_its_time_it_is_given_where_all_servers_refuse_or_are_none()
    {
        Learn("x", Record(100));
        Assert.Equal(AnswerSource.Stale, Ask("x", at: 200, servers: []).Source);
        UpstreamSend first = AsksServers("x", at: 200);
        queries.Receive(first.Attempt, first.Server, Answer(first.Packet, 2, [], []), At(200), effects);
        UpstreamSend second = Assert.Single(effects.Sends);
        effects.Clear();
        queries.Failed(second.Attempt, At(200), effects);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal((AnswerSource.Stale, UpstreamFailure.AllFailed, 0), (reply.Source, reply.Failure, reply.Packet[3] & 15));
    }

    [Fact]
    public void A_name_that_is_gone_is_not_brought_back()
    {
        Learn("x", Record(100));
        UpstreamSend send = AsksServers("x", at: 200);
        queries.Receive(send.Attempt, send.Server, Answer(send.Packet, 3, [], [Authority]), At(200), effects);
        Assert.Equal(3, Assert.Single(effects.Replies).Packet[3] & 15);
        effects.Clear();
        Assert.Equal(3, Ask("x", at: 201).Packet[3] & 15);
    }

    [Fact]
    public void What_must_not_be_kept_any_more_is_not_given_beyond_its_time_either()
    {
        Learn("x", Record(100));
        UpstreamSend send = AsksServers("x", at: 200);
        queries.Receive(send.Attempt, send.Server, Answer(send.Packet, 0, [Record(0)], []), At(200), effects);
        Assert.Equal(0, queries.Kept);
    }

    [Fact]
    public void After_a_day_it_is_forgotten()
    {
        Learn("x", Record(100));
        AsksServers("x", at: 86501);
        Assert.Equal(0, queries.Kept);
    }

    [Fact]
    public void The_same_question_is_asked_once_for_all_who_wait()
    {
        UpstreamSend send = AsksServers("x", at: 0);
        queries.Start(50, 2, Packets.Query("X", id: 0x5050), Servers, false, 512, At(0.1), effects);
        queries.Start(51, 3, Packets.Query("x", id: 0x5151), Servers, false, 512, At(0.2), effects);
        Assert.Empty(effects.Sends);
        Assert.Equal(3, queries.Count);
        UpstreamSend tcp = AsksServersByTcp("x");
        Assert.NotEqual(send.Attempt, tcp.Attempt);
        queries.Abandon(51, effects);
        queries.Receive(send.Attempt, send.Server, Answer(send.Packet, 0, [Record(100)], []), At(0.3), effects);
        Assert.Equal([1, 50], effects.Replies.Select(static r => r.Ticket));
        Assert.Equal([0x50, 0x50, (byte)'X'], (byte[])[.. effects.Replies[1].Packet[..2], effects.Replies[1].Packet[13]]);
        Assert.Equal([send.Attempt], effects.Closes);
        Assert.Equal(1, queries.Count);
    }

    [Fact]
    public void Who_waits_with_others_hears_of_the_failure_too_and_may_outlast_the_first()
    {
        AsksServers("x", at: 0);
        queries.Start(50, 2, Packets.Query("x", id: 0x5050), Servers, false, 512, At(1), effects);
        queries.Abandon(lastTicket, effects);
        Assert.Empty(effects.Closes);
        queries.Advance(At(2), effects);
        queries.Advance(At(4), effects);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal((50L, UpstreamFailure.Timeout), (reply.Ticket, reply.Failure));
        Assert.Equal(0x50, reply.Packet[0]);
        Assert.Equal((0, Instant.Never), (queries.Count, queries.NextDeadline));
    }

    [Fact]
    public void What_servers_of_before_say_is_for_those_who_asked_them()
    {
        UpstreamSend send = AsksServers("x", at: 0);
        queries.Start(50, 2, Packets.Query("x"), [Servers[1]], false, 512, At(1), effects);
        UpstreamSend other = Assert.Single(effects.Sends);
        effects.Clear();
        queries.Receive(send.Attempt, send.Server, Answer(send.Packet, 0, [Record(100)], []), At(1), effects);
        Assert.Equal([lastTicket], effects.Replies.Select(static r => r.Ticket));
        Assert.Equal(0, queries.Kept);
        effects.Clear();
        queries.Receive(other.Attempt, other.Server, Answer(other.Packet, 0, [Record(100)], []), At(1), effects);
        Assert.Equal([50], effects.Replies.Select(static r => r.Ticket));
        Assert.Equal(1, queries.Kept);
    }

    [Fact]
    public void Random_answers_harm_nothing()
    {
        Prng prng = new(7);
        for (int round = 0; round < 20_000; round++)
        {
            byte[] Garble(byte[] packet)
            {
                byte[] answer = Answer(packet, 0, [Record(100), Record(7)], [Authority]);
                int end = packet.Length;
                for (int i = prng.Next(8); i > 0; i--)
                {
                    answer[end + prng.Next(answer.Length - end)] = (byte)prng.NextUInt64();
                }

                BinaryPrimitives.WriteUInt16BigEndian(answer.AsSpan(6 + (2 * prng.Next(3))), (ushort)prng.Next(4));
                return answer[..(end + prng.Next(answer.Length - end + 1))];
            }

            LearnPacket($"n{round % 5}", Garble);
            queries.Start(++lastTicket, 1, Packets.Query($"n{round % 5}"), Servers, false, 512, At(round % 200), effects);
            foreach (UpstreamSend send in effects.Sends.ToArray())
            {
                queries.Abandon(lastTicket, effects);
            }

            effects.Clear();
        }

        Assert.InRange(queries.Kept, 0, 3);
    }

    private static Instant At(double seconds) => new((long)Math.Round(seconds * 1_000_000_000));

    /// <summary>An A record of the question's name.</summary>
    private static byte[] Record(uint ttl)
    {
        byte[] record = Packets.Hex("c00c 0001 0001 00000000 0004 c0000201");
        BinaryPrimitives.WriteUInt32BigEndian(record.AsSpan(6), ttl);
        return record;
    }

    private static byte[] Answer(byte[] query, int code, byte[][] answers, byte[][] authorities)
    {
        byte[] packet = [.. query, .. answers.SelectMany(static a => a), .. authorities.SelectMany(static a => a)];
        packet[2] |= 0x80;
        packet[3] = (byte)(0x80 | code);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)answers.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(8), (ushort)authorities.Length);
        return packet;
    }

    private static uint[] Ttls(byte[] packet)
    {
        int count = BinaryPrimitives.ReadUInt16BigEndian(packet.AsSpan(6));
        return [.. Enumerable.Range(1, count).Select(i => BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(packet.Length - (i * 16) + 6))).Reverse()];
    }

    private void Learn(string name, params byte[][] records) => LearnPacket(name, packet => Answer(packet, 0, records, []));

    /// <summary>At second 0.</summary>
    private void LearnPacket(string name, Func<byte[], byte[]> answer, RecordType type = RecordType.A)
    {
        effects.Clear();
        queries.Start(++lastTicket, 1, Packets.Query(name, type), Servers, false, 512, At(0), effects);
        foreach (UpstreamSend send in effects.Sends.ToArray())
        {
            effects.Clear();
            queries.Receive(send.Attempt, send.Server, answer(send.Packet), At(0), effects);
        }

        queries.Abandon(lastTicket, effects);
        effects.Clear();
    }

    /// <summary>The answer comes at once.</summary>
    private UpstreamReply Ask(string name, double at, ushort id = 0x1234, bool tcp = false, ImmutableArray<IPEndPoint>? servers = null)
    {
        queries.Start(++lastTicket, 1, Packets.Query(name, id: id), servers ?? Servers, tcp, 512, At(at), effects);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Empty(effects.Sends);
        effects.Clear();
        return reply;
    }

    private UpstreamSend AsksServersByTcp(string name)
    {
        queries.Start(++lastTicket, 1, Packets.Query(name), Servers, true, 512, At(0), effects);
        UpstreamSend send = Assert.Single(effects.Sends);
        effects.Clear();
        return send;
    }

    /// <summary>Nothing that is kept answers it; it is left under way.</summary>
    private UpstreamSend AsksServers(
        string name, double at, RecordType type = RecordType.A, int edns = 0, ushort flags = 0x0100)
    {
        queries.Start(++lastTicket, 1, Packets.Query(name, type, edns: edns, flags: flags), Servers, false, 512, At(at), effects);
        Assert.Empty(effects.Replies);
        UpstreamSend send = Assert.Single(effects.Sends);
        effects.Clear();
        return send;
    }
}
