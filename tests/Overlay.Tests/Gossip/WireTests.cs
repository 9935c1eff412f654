using System.Net;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip;

public sealed class WireTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)];
    private static readonly Keyring Sealed = new([Key]);

    [Fact]
    public void Every_captured_datagram_is_read()
    {
        int read = 0;
        foreach (WireVector vector in WireVector.All.Where(static v => v.Kind.StartsWith("udp", StringComparison.Ordinal)))
        {
            List<GossipMessage> messages = [];
            Assert.True(PacketCodec.TryDecode(vector.Raw, vector.Keys, messages, out PacketRejection rejection), rejection.ToString());
            Assert.Equal(PacketRejection.None, rejection);
            Assert.NotEmpty(messages);
            read++;
        }

        Assert.Equal(13, read);
    }

    [Fact]
    public void Every_captured_stream_is_measured_and_read()
    {
        int read = 0;
        foreach (WireVector vector in WireVector.All.Where(static v => v.Kind.StartsWith("tcp", StringComparison.Ordinal)))
        {
            for (int length = 0; length < vector.Raw.Length; length++)
            {
                Assert.Equal(StreamMeasure.NeedMore, StreamCodec.TryMeasure(vector.Raw.AsSpan(0, length), vector.Keys, out _));
            }

            // One capture of the ack was taken with bytes behind the unit.
            Assert.Equal(StreamMeasure.Complete, StreamCodec.TryMeasure(vector.Raw, vector.Keys, out int total));
            Assert.True(StreamCodec.TryDecode(vector.Raw.AsSpan(0, total), vector.Keys, out GossipMessage? message, out _));
            Assert.True(message is GossipMessage.PushPull or GossipMessage.Ack);
            read++;
        }

        Assert.Equal(4, read);
    }

    [Fact]
    public void The_captured_push_pull_tells_of_its_sender()
    {
        foreach (WireVector vector in WireVector.All.Where(static v => v.Kind == "tcp_pushpull_reply_from_serf"))
        {
            Assert.True(StreamCodec.TryDecode(vector.Raw, vector.Keys, out GossipMessage? message, out _));
            GossipMessage.PushPull exchange = Assert.IsType<GossipMessage.PushPull>(message);
            PushPullNode self = exchange.Nodes.First(static n => n.Name.StartsWith('s'));
            Assert.Equal(IPAddress.Loopback, self.Address.Address);
            Assert.Equal(MemberState.Alive, self.State);
            Assert.Equal(new byte[] { 1, 5, 2, 2, 5, 5 }, self.Versions);
            Assert.Equal(0UL, self.BootId);
            Assert.Equal(586, exchange.UserState.Length);
        }
    }

    [Fact]
    public void Plain_messages_are_written_as_serf_writes_them()
    {
        WireVector ping = WireVector.All.First(static v => v.Key is null && v.Plaintext is [0, ..]);
        List<GossipMessage> messages = [];
        Assert.True(PacketCodec.TryDecode(ping.Raw, Keyring.Plaintext, messages, out _));
        Assert.Equal(ping.Raw, PacketCodec.Encode(messages, Keyring.Plaintext, new Prng(1), crc: false));
        WireVector nack = WireVector.All.First(static v => v.Key is null && v.Plaintext is [0x0b, ..]);
        Assert.Equal(nack.Raw, PacketCodec.Encode([new GossipMessage.Nack(777)], Keyring.Plaintext, new Prng(1), crc: false));
    }

    [Fact]
    public void A_compound_with_checksum_is_written_as_serf_writes_it()
    {
        WireVector compound = WireVector.All.First(static v => v.Key is null && v.Plaintext is [0x0c, _, _, _, _, 7, ..]);
        List<GossipMessage> messages = [];
        Assert.True(PacketCodec.TryDecode(compound.Raw, Keyring.Plaintext, messages, out _));
        Assert.Equal(2, messages.Count);
        Assert.Equal(compound.Raw, PacketCodec.Encode(messages, Keyring.Plaintext, new Prng(1), crc: true));
    }

    [Fact]
    public void Messages_of_every_kind_survive_the_way_there()
    {
        Prng prng = new(42);
        for (int round = 0; round < 500; round++)
        {
            GossipMessage[] sent = [.. Enumerable.Range(0, 1 + prng.Next(6)).Select(_ => Samples.Message(prng))];
            Keyring keys = round % 2 == 0 ? Keyring.Plaintext : Sealed;
            byte[] datagram = PacketCodec.Encode(sent, keys, prng, crc: round % 3 == 0);
            List<GossipMessage> got = [];
            Assert.True(PacketCodec.TryDecode(datagram, keys, got, out PacketRejection rejection), rejection.ToString());
            Assert.Equal(sent.Select(Samples.Text), got.Select(Samples.Text));
            Assert.All(sent, m => Assert.Equal(PacketCodec.Encode([m], Keyring.Plaintext, prng, false).Length, PacketCodec.Measure(m)));
        }
    }

    [Fact]
    public void Streams_of_every_kind_survive_the_way_there()
    {
        Prng prng = new(43);
        for (int round = 0; round < 200; round++)
        {
            GossipMessage sent = Samples.Stream(prng);
            Keyring keys = round % 2 == 0 ? Keyring.Plaintext : Sealed;
            byte[] unit = StreamCodec.Encode(sent, keys, prng);
            Assert.Equal(StreamMeasure.Complete, StreamCodec.TryMeasure(unit, keys, out int total));
            Assert.Equal(unit.Length, total);
            Assert.True(StreamCodec.TryDecode(unit, keys, out GossipMessage? got, out _));
            Assert.Equal(Samples.Text(sent), Samples.Text(got));
        }
    }

    [Fact]
    public void With_encryption_on_nothing_in_the_clear_is_accepted()
    {
        byte[] plain = PacketCodec.Encode([new GossipMessage.Nack(1)], Keyring.Plaintext, new Prng(1), crc: false);
        Assert.False(PacketCodec.TryDecode(plain, Sealed, [], out PacketRejection rejection));
        Assert.Equal(PacketRejection.NotSealed, rejection);
        byte[] foreign = PacketCodec.Encode([new GossipMessage.Nack(1)], new([new byte[32]]), new Prng(1), crc: false);
        Assert.False(PacketCodec.TryDecode(foreign, Sealed, [], out rejection));
        Assert.Equal(PacketRejection.NotSealed, rejection);
        Assert.True(PacketCodec.TryDecode(foreign, new([Key, new byte[32]]), [], out _));
        Assert.Equal(StreamMeasure.Invalid, StreamCodec.TryMeasure([0, 1, 2], Sealed, out _));
    }

    [Fact]
    public void Truncated_and_mutated_packets_never_throw_and_take_no_memory()
    {
        Prng prng = new(44);
        foreach (WireVector vector in WireVector.All)
        {
            for (int length = 0; length <= vector.Raw.Length; length++)
            {
                TryEverything(vector.Raw.AsSpan(0, length), vector.Keys);
            }

            for (int round = 0; round < 300; round++)
            {
                byte[] mutated = [.. vector.Raw];
                for (int change = prng.Next(4); change >= 0; change--)
                {
                    mutated[prng.Next(mutated.Length)] = (byte)prng.Next(256);
                }

                TryEverything(mutated, vector.Keys);
                TryEverything(mutated, Keyring.Plaintext);
            }
        }

        for (int round = 0; round < 3000; round++)
        {
            byte[] noise = new byte[prng.Next(300)];
            prng.Fill(noise);
            TryEverything(noise, Keyring.Plaintext);
        }
    }

    [Fact]
    public void A_packet_that_claims_millions_of_nodes_costs_nothing()
    {
        // pushPull {Nodes: 2^32-1}, and a raw of 4 GiB.
        TryEverything([6, 0x81, 0xa5, .. "Nodes"u8, 0xce, 0xff, 0xff, 0xff, 0xff], Keyring.Plaintext);
        TryEverything([4, 0x81, 0xa4, .. "Meta"u8, 0xdb, 0xff, 0xff, 0xff, 0xff], Keyring.Plaintext);
        TryEverything([0, 0xdf, 0xff, 0xff, 0xff, 0xff], Keyring.Plaintext);
    }

    [Fact]
    public void A_compression_bomb_ends_at_the_limit()
    {
        // One literal, then codes that each repeat all before: long output from few bytes.
        byte[] bomb = Samples.LzwBomb(60_000);
        Assert.False(Lzw.TryDecode(bomb, 256 << 10, out _));
        Assert.True(Lzw.TryDecode(Samples.LzwBomb(100), 256 << 10, out byte[] some));
        Assert.All(some, static b => Assert.Equal(0, b));
    }

    private static void TryEverything(ReadOnlySpan<byte> bytes, Keyring keys)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        List<GossipMessage> messages = [];
        PacketCodec.TryDecode(bytes, keys, messages, out _);
        StreamCodec.TryMeasure(bytes, keys, out _);
        StreamCodec.TryDecode(bytes, keys, out _, out _);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 4 << 20);
    }
}
