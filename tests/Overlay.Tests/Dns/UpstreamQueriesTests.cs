using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net;
using Overlay.Dns;
using Overlay.Primitives;

namespace Overlay.Tests.Dns;

public sealed class UpstreamQueriesTests
{
    private static readonly ImmutableArray<IPEndPoint> Servers =
        [IPEndPoint.Parse("192.0.2.1:53"), IPEndPoint.Parse("192.0.2.2:53"), IPEndPoint.Parse("[2001:db8::3]:53")];

    private readonly UpstreamQueries queries = new(new() { MaxPending = 8, MaxPendingPerClient = 3 }, new Prng(42));
    private readonly UpstreamEffects effects = new();

    [Fact]
    public void An_answer_is_relayed_with_the_clients_id()
    {
        UpstreamSend send = Start(1);
        Assert.Equal(Servers[0], send.Server);
        Assert.Equal(Packets.Query("www.example.org")[2..], send.Packet[2..]);
        byte[] answer = Respond(send.Packet);
        Receive(send, answer);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal((1L, UpstreamFailure.None), (reply.Ticket, reply.Failure));
        Assert.Equal([0x12, 0x34, .. answer[2..]], reply.Packet);
        Assert.Equal([send.Attempt], effects.Closes);
        Assert.Equal((0, Instant.Never), (queries.Count, queries.NextDeadline));
    }

    [Fact]
    public void Forgeries_change_nothing()
    {
        UpstreamSend send = Start(1);
        byte[] good = Respond(send.Packet);
        byte[] otherQuestion = [.. good];
        otherQuestion[14] ^= 1;
        byte[] otherId = [.. good];
        otherId[1] ^= 1;
        byte[] noResponse = [.. good];
        noResponse[2] &= 0x7F;
        byte[] noQuestion = [.. good];
        noQuestion[5] = 0;
        byte[] otherType = [.. good];
        otherType[^3] = 28;
        byte[][] forgeries = [otherQuestion, otherId, noResponse, noQuestion, otherType, [], good[..11], good[..20]];
        foreach (byte[] forged in forgeries)
        {
            queries.Receive(send.Attempt, Servers[0], forged, At(1), effects);
        }

        queries.Receive(send.Attempt, Servers[1], good, At(1), effects);
        queries.Receive(send.Attempt, new(Servers[0].Address, 54), good, At(1), effects);
        queries.Receive(send.Attempt + 1, Servers[0], good, At(1), effects);
        Assert.Equal(11, effects.Mismatches);
        Assert.Empty(effects.Replies);
        byte[] otherCase = [.. good];
        otherCase[14] ^= 0x20;
        Receive(send, otherCase);
        Assert.Single(effects.Replies);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    public void The_next_server_is_asked_on_failure_and_refusal(int code)
    {
        UpstreamSend first = Start(1);
        Receive(first, Respond(first.Packet, code));
        Assert.Empty(effects.Replies);
        Assert.Equal([first.Attempt], effects.Closes);
        UpstreamSend second = Assert.Single(effects.Sends);
        Assert.Equal(Servers[1], second.Server);
        effects.Clear();
        queries.Failed(second.Attempt, At(2), effects);
        UpstreamSend third = Assert.Single(effects.Sends);
        Assert.Equal(Servers[2], third.Server);
        effects.Clear();
        Receive(third, Respond(third.Packet, code));
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal((UpstreamFailure.AllFailed, code), (reply.Failure, reply.Packet[3] & 15));
        Assert.Equal(Instant.Never, queries.NextDeadline);
    }

    [Fact]
    public void The_next_server_is_asked_on_silence_and_the_first_one_may_still_answer()
    {
        UpstreamSend first = Start(1);
        Assert.Equal(At(300), queries.NextDeadline);
        queries.Advance(At(299), effects);
        Assert.Empty(effects.Sends);
        UpstreamSend second = Advance(300);
        Assert.Equal(Servers[1], second.Server);
        Assert.NotEqual(first.Attempt, second.Attempt);
        Assert.NotEqual(first.Packet[..2], second.Packet[..2]);
        Receive(first, Respond(first.Packet));
        Assert.Single(effects.Replies);
        Assert.Equal([first.Attempt, second.Attempt], effects.Closes);
    }

    [Fact]
    public void At_the_limit_the_client_is_told()
    {
        Start(1);
        Assert.Equal(Servers[1], Advance(300).Server);
        Assert.Equal(Servers[2], Advance(600).Server);
        Assert.Equal(At(2600), queries.NextDeadline);
        Assert.Equal(Servers[0], Advance(2600).Server);
        queries.Advance(At(3999), effects);
        Assert.Empty(effects.Replies);
        queries.Advance(At(4000), effects);
        UpstreamReply reply = Assert.Single(effects.Replies);
        Assert.Equal(UpstreamFailure.Timeout, reply.Failure);
        Assert.Equal(
            Packets.Hex("1234 8182 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 6f7267 00 0001 0001"),
            reply.Packet);
        Assert.Equal((0, Instant.Never), (queries.Count, queries.NextDeadline));
    }

    [Fact]
    public void A_late_Advance_asks_once_for_each_round()
    {
        Start(1);
        queries.Advance(At(3000), effects);
        Assert.Single(effects.Sends);
        Assert.Equal(At(3300), queries.NextDeadline);
    }

    [Fact]
    public void The_first_server_that_knows_the_name_wins()
    {
        UpstreamSend first = Start(1);
        UpstreamSend second = Advance(300);
        UpstreamSend third = Advance(600);
        Receive(third, Found(third.Packet), 700);
        Assert.Equal(Found(third.Packet)[2..], Assert.Single(effects.Replies).Packet[2..]);
        Assert.Equal([first.Attempt, second.Attempt, third.Attempt], effects.Closes.Order());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void That_there_is_no_such_name_waits_for_the_servers_before(int code)
    {
        UpstreamSend first = Start(1);
        UpstreamSend second = Advance(300);
        Receive(second, Respond(second.Packet, code), 310);
        Assert.Empty(effects.Replies);
        Assert.Equal([second.Attempt], effects.Closes);
        Assert.Equal(At(2000), queries.NextDeadline);
        effects.Clear();
        Receive(first, Found(first.Packet), 1900);
        Assert.Equal(Found(first.Packet)[2..], Assert.Single(effects.Replies).Packet[2..]);
        Assert.Equal(Instant.Never, queries.NextDeadline);
    }

    [Fact]
    public void It_is_believed_when_they_have_had_their_time()
    {
        UpstreamSend first = Start(1);
        UpstreamSend second = Advance(300);
        Receive(second, Respond(second.Packet, 3), 310);
        effects.Clear();
        queries.Advance(At(1999), effects);
        Assert.Empty(effects.Replies);
        queries.Advance(At(2000), effects);
        Assert.Equal((3, UpstreamFailure.None), (effects.Replies[0].Packet[3] & 15, Assert.Single(effects.Replies).Failure));
        Assert.Equal([first.Attempt], effects.Closes);
        Assert.Equal((0, Instant.Never), (queries.Count, queries.NextDeadline));
    }

    [Fact]
    public void It_is_believed_at_once_where_those_before_have_failed()
    {
        UpstreamSend first = Start(1);
        UpstreamSend second = Advance(300);
        UpstreamSend third = Advance(600);
        Receive(third, Respond(third.Packet, 3), 610);
        Receive(second, Respond(second.Packet, 2), 620);
        Assert.Empty(effects.Replies);
        Assert.Empty(effects.Sends);
        queries.Failed(first.Attempt, At(630), effects);
        Assert.Equal(3, Assert.Single(effects.Replies).Packet[3] & 15);
    }

    [Fact]
    public void Of_two_servers_that_know_no_such_name_the_one_before_counts()
    {
        UpstreamSend first = Start(1);
        UpstreamSend second = Advance(300);
        UpstreamSend third = Advance(600);
        Receive(third, Respond(third.Packet, 3), 610);
        Receive(second, Respond(second.Packet), 620);
        Assert.Empty(effects.Replies);
        Receive(first, Respond(first.Packet, 5), 630);
        Assert.Equal(0, Assert.Single(effects.Replies).Packet[3] & 15);
    }

    [Fact]
    public void A_cut_answer_is_relayed_at_once()
    {
        Start(1);
        UpstreamSend second = Advance(300);
        byte[] cut = Respond(second.Packet);
        cut[2] |= 2;
        Receive(second, cut, 310);
        Assert.Single(effects.Replies);
    }

    [Fact]
    public void The_time_limit_counts_for_what_is_held_too()
    {
        UpstreamQueries hasty = new(new() { TotalTimeout = TimeSpan.FromMilliseconds(500) }, new Prng(1));
        hasty.Start(1, 1, Packets.Query("www.example.org"), Servers, false, 512, At(0), effects);
        effects.Clear();
        hasty.Advance(At(300), effects);
        UpstreamSend second = Assert.Single(effects.Sends);
        hasty.Receive(second.Attempt, second.Server, Respond(second.Packet, 3), At(310), effects);
        Assert.Equal(At(500), hasty.NextDeadline);
        hasty.Advance(At(500), effects);
        Assert.Equal((3, UpstreamFailure.None), (effects.Replies[0].Packet[3] & 15, Assert.Single(effects.Replies).Failure));
    }

    [Fact]
    public void Without_servers_the_client_is_told_at_once()
    {
        queries.Start(1, 1, Packets.Query("x"), [], false, 512, At(0), effects);
        Assert.Equal(UpstreamFailure.NoServer, Assert.Single(effects.Replies).Failure);
        Assert.Equal(0, queries.Count);
    }

    [Fact]
    public void One_sandbox_can_not_use_up_all_places()
    {
        for (int ticket = 0; ticket < 5; ticket++)
        {
            queries.Start(ticket, 1, Packets.Query("x"), Servers, false, 512, At(0), effects);
        }

        Assert.Equal(3, queries.Count);
        Assert.Equal([UpstreamFailure.TooMany, UpstreamFailure.TooMany], effects.Replies.Select(static r => r.Failure));
        effects.Clear();
        for (int ticket = 10; ticket < 20; ticket++)
        {
            queries.Start(ticket, ticket, Packets.Query("x"), Servers, false, 512, At(0), effects);
        }

        Assert.Equal(8, queries.Count);
        Assert.Equal(5, effects.Replies.Count);
        queries.Advance(At(4000), effects);
        Assert.Equal((0, Instant.Never), (queries.Count, queries.NextDeadline));
        effects.Clear();
        Start(100);
    }

    [Fact]
    public void A_client_that_left_is_not_answered()
    {
        UpstreamSend send = Start(1);
        queries.Abandon(1, effects);
        Assert.Equal([send.Attempt], effects.Closes);
        Receive(send, Respond(send.Packet));
        Assert.Empty(effects.Replies);
    }

    [Fact]
    public void An_answer_longer_than_the_client_takes_is_cut()
    {
        UpstreamSend send = Start(1);
        byte[] longAnswer = [.. Respond(send.Packet), .. new byte[600]];
        Receive(send, longAnswer);
        byte[] packet = Assert.Single(effects.Replies).Packet;
        Assert.Equal(
            Packets.Hex("1234 8380 0001 0000 0000 0000 03 777777 07 6578616d706c65 03 6f7267 00 0001 0001"), packet);
    }

    [Fact]
    public void Random_storms_always_end_in_one_reply_each()
    {
        for (ulong seed = 0; seed < 200; seed++)
        {
            Storm(new Prng(seed));
        }
    }

    private static void Storm(Prng prng)
    {
        UpstreamQueries storm = new(new() { MaxPending = 20, MaxPendingPerClient = 9 }, prng);
        UpstreamEffects effects = new();
        List<UpstreamSend> open = [];
        SortedDictionary<long, int> replies = [];
        long now = 0;
        const int count = 60;
        for (int ticket = 0; ticket < count || storm.Count > 0;)
        {
            now += prng.Next(300);
            if (ticket < count && prng.Chance(0.5))
            {
                int servers = prng.Next(4);
                storm.Start(
                    ticket++, prng.Next(3), Packets.Query("x.org"), Servers[..servers], false, 512, At(now), effects);
            }
            else if (open.Count > 0)
            {
                UpstreamSend send = open[prng.Next(open.Count)];
                if (prng.Chance(0.2))
                {
                    storm.Failed(send.Attempt, At(now), effects);
                }
                else
                {
                    storm.Receive(send.Attempt, send.Server, Respond(send.Packet, prng.Next(6)), At(now), effects);
                }
            }

            storm.Advance(At(now), effects);
            Assert.True(storm.NextDeadline > At(now));
            open.AddRange(effects.Sends);
            foreach (long close in effects.Closes)
            {
                Assert.Equal(1, open.RemoveAll(s => s.Attempt == close));
            }

            foreach (UpstreamReply reply in effects.Replies)
            {
                replies[reply.Ticket] = replies.GetValueOrDefault(reply.Ticket) + 1;
                Assert.Equal([0x12, 0x34], reply.Packet[..2]);
            }

            effects.Clear();
        }

        Assert.Empty(open);
        Assert.Equal(count, replies.Count);
        Assert.All(replies.Values, static n => Assert.Equal(1, n));
    }

    private static Instant At(long milliseconds) => new(milliseconds * 1_000_000);

    private static byte[] Respond(byte[] query, int code = 0)
    {
        byte[] response = [.. query];
        BinaryPrimitives.WriteUInt16BigEndian(response.AsSpan(2), (ushort)(0x8180 | code));
        return response;
    }

    private UpstreamSend Start(long ticket)
    {
        queries.Start(ticket, 1, Packets.Query("www.example.org"), Servers, false, 512, At(0), effects);
        UpstreamSend send = Assert.Single(effects.Sends);
        effects.Clear();
        return send;
    }

    /// <summary>With one address.</summary>
    private static byte[] Found(byte[] query)
    {
        byte[] response = [.. Respond(query), .. Packets.Hex("c00c 0001 0001 0000003c 0004 c0000209")];
        response[7] = 1;
        return response;
    }

    /// <summary>The one question to a server that is due then.</summary>
    private UpstreamSend Advance(long milliseconds)
    {
        queries.Advance(At(milliseconds), effects);
        UpstreamSend send = Assert.Single(effects.Sends);
        effects.Clear();
        return send;
    }

    private void Receive(UpstreamSend send, byte[] packet, long milliseconds = 1) =>
        queries.Receive(send.Attempt, send.Server, packet, At(milliseconds), effects);
}
