using System.Security.Cryptography;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Wire;

public sealed class WireTests
{
    private static readonly byte[] Key = [.. Enumerable.Range(0, 32).Select(static i => (byte)i)];
    private static readonly Keyring Sealed = new([Key]);

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
            Assert.Equal(
                sent.Select(m => PacketCodec.Encode([m], Keyring.Plaintext, prng, false).Length),
                sent.Select(PacketCodec.Measure));
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
    public void Truncated_and_mutated_captures_never_throw_and_take_no_memory()
    {
        Prng prng = new(44);
        foreach (WireVector vector in WireVector.All)
        {
            for (int length = 0; length <= vector.Raw.Length; length++)
            {
                TryEverything(vector.Raw.AsSpan(0, length), vector.Keys);
            }

            // Below the seal nothing stops a changed byte.
            for (int at = 0; at < vector.Plaintext.Length; at++)
            {
                byte[] mutated = [.. vector.Plaintext];
                mutated[at] = (byte)prng.Next(256);
                TryEverything(mutated, Keyring.Plaintext);
                mutated[at] = (byte)(vector.Plaintext[at] ^ (1 << prng.Next(8)));
                TryEverything(mutated, Keyring.Plaintext);
                mutated[prng.Next(mutated.Length)] = (byte)prng.Next(256);
                TryEverything(mutated, Keyring.Plaintext);
            }
        }
    }

    [Fact]
    public void Truncated_and_mutated_messages_of_every_kind_never_throw_and_take_no_memory()
    {
        Prng prng = new(45);
        for (int round = 0; round < 150; round++)
        {
            byte[] packet = PacketCodec.Encode(
                [Samples.Message(prng), Samples.Message(prng)], Keyring.Plaintext, prng, crc: false);
            for (int length = 0; length < packet.Length; length += 1 + prng.Next(5))
            {
                TryEverything(packet.AsSpan(0, length), Keyring.Plaintext);
                Assert.False(
                    PacketCodec.TryDecode(packet.AsSpan(0, length), Keyring.Plaintext, [], out _)
                    && PacketCodec.TryDecode(packet.AsSpan(0, length), Keyring.Plaintext, [], out PacketRejection why)
                    && why == PacketRejection.None);
            }

            for (int mutation = 0; mutation < 100; mutation++)
            {
                byte[] mutated = [.. packet];
                mutated[prng.Next(mutated.Length)] = (byte)prng.Next(256);
                TryEverything(mutated, Keyring.Plaintext);
            }
        }
    }

    [Fact]
    public void Noise_never_throws_and_takes_no_memory()
    {
        Prng prng = new(46);
        for (int round = 0; round < 5000; round++)
        {
            byte[] noise = new byte[1 + prng.Next(300)];
            prng.Fill(noise);
            noise[0] = (byte)prng.Next(16);
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

    [Fact]
    public void A_datagram_is_unpacked_once()
    {
        byte[] bomb = Compressed(Samples.LzwBomb(700));
        Assert.True(bomb.Length < 1400);
        // Alone it is one unpacking; inside a compound, in which it could stand 255 times, it is none.
        Assert.Equal(PacketRejection.BadCompression, Reject(Compound(bomb, bomb)));
        Assert.Equal(PacketRejection.BadCompression, Reject(Compressed(LzwOf(bomb))));
        Assert.Equal(PacketRejection.None, Reject(Compressed(LzwOf([11, 0x80]))));
        Assert.Equal(PacketRejection.None, Reject(Compound([11, 0x80], Compound([11, 0x80]))));
        Assert.Equal(PacketRejection.Malformed, Reject(Compound(Compound(Compound([11, 0x80])))));
    }

    [Fact]
    public void Good_parts_of_a_compound_are_kept_beside_bad_ones()
    {
        List<GossipMessage> messages = [];
        byte[] packet = Compound([11, 0x81, 0xa5, .. "SeqNo"u8, 7], [99], [11, 0x81, 0xa5, .. "SeqNo"u8, 8], [244, 1]);
        Assert.True(PacketCodec.TryDecode(packet, Keyring.Plaintext, messages, out PacketRejection rejection));
        Assert.Equal(PacketRejection.UnknownType, rejection);
        Assert.Equal(["Nack { SequenceNumber = 7 }", "Nack { SequenceNumber = 8 }"], messages.Select(Samples.Text));
    }

    [Fact]
    public void Labels_and_stream_messages_are_refused_in_datagrams()
    {
        Assert.Equal(PacketRejection.UnsupportedLabel, Reject([244, 1, (byte)'x', 11, 0x80]));
        Assert.Equal(PacketRejection.UnknownType, Reject([6, 0x80]));
        Assert.Equal(PacketRejection.UnknownType, Reject([13, 0x80]));
        Assert.Equal(PacketRejection.UnknownType, Reject([10, 0, 0, 0, 0]));
        Assert.Equal(PacketRejection.Empty, Reject([]));
        Assert.Equal(PacketRejection.TooLarge, Reject(new byte[65508]));
    }

    /// <summary>The first encryption version pads to the cipher's block, as PKCS #7 says.</summary>
    [Theory]
    [InlineData(16)]
    [InlineData(24)]
    [InlineData(32)]
    public void Encryption_version_0_is_opened(int keyBytes)
    {
        Prng prng = new(47);
        byte[] key = new byte[keyBytes];
        prng.Fill(key);
        for (int round = 0; round < 40; round++)
        {
            GossipMessage sent = Samples.Message(prng);
            byte[] plain = PacketCodec.Encode([sent], Keyring.Plaintext, prng, crc: false);
            int padding = 16 - (plain.Length % 16);
            byte[] padded = [.. plain, .. Enumerable.Repeat((byte)padding, padding)];
            byte[] packet = new byte[1 + 12 + padded.Length + 16];
            prng.Fill(packet.AsSpan(1, 12));
            using AesGcm aes = new(key, 16);
            aes.Encrypt(packet.AsSpan(1, 12), padded, packet.AsSpan(13, padded.Length), packet.AsSpan(13 + padded.Length));
            List<GossipMessage> got = [];
            Assert.True(PacketCodec.TryDecode(packet, new([key]), got, out _));
            Assert.Equal(Samples.Text(sent), Samples.Text(Assert.Single(got)));
        }
    }

    [Fact]
    public void Signed_integers_of_the_newer_library_are_read()
    {
        // {SeqNo: int16 300} and {SeqNo: int8 -1}.
        List<GossipMessage> messages = [];
        Assert.True(PacketCodec.TryDecode(
            [11, 0x81, 0xa5, .. "SeqNo"u8, 0xd1, 1, 0x2c], Keyring.Plaintext, messages, out _));
        Assert.Equal("Nack { SequenceNumber = 300 }", Samples.Text(messages[0]));
        Assert.Equal(PacketRejection.Malformed, Reject([11, 0x81, 0xa5, .. "SeqNo"u8, 0xd0, 0xff]));
        Assert.Equal(PacketRejection.Malformed, Reject([11, 0x81, 0xa5, .. "SeqNo"u8, 0xcf, 1, 0, 0, 0, 0, 0, 0, 0]));
    }

    [Fact]
    public void Unknown_keys_of_any_type_are_passed_over()
    {
        byte[] value =
        [
            0x9a, 0xc0, 0xc2, 0xca, 0, 0, 0, 0, 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xd3, 0, 0, 0, 0, 0, 0, 0, 1, 0xa1, 0x78,
            0xc4, 1, 9, 0x81, 0xa1, 0x6b, 0x90, 0xe0, 0xd9, 1, 0x79,
        ];
        List<GossipMessage> messages = [];
        Assert.True(PacketCodec.TryDecode(
            [11, 0x82, 0xa1, (byte)'?', .. value, 0xa5, .. "SeqNo"u8, 7], Keyring.Plaintext, messages, out _));
        Assert.Equal("Nack { SequenceNumber = 7 }", Samples.Text(messages[0]));
        byte[] deep = [11, 0x81, 0xa1, (byte)'?', .. Enumerable.Repeat((byte)0x91, 2000), 0xc0];
        Assert.Equal(PacketRejection.Malformed, Reject(deep));
    }

    private static PacketRejection Reject(byte[] packet)
    {
        PacketCodec.TryDecode(packet, Keyring.Plaintext, [], out PacketRejection rejection);
        return rejection;
    }

    private static byte[] Compound(params byte[][] parts) =>
        [7, (byte)parts.Length, .. parts.SelectMany(static p => new[] { (byte)(p.Length >> 8), (byte)p.Length }),
            .. parts.SelectMany(static p => p)];

    private static byte[] Compressed(byte[] lzw) =>
        [9, 0x82, 0xa4, .. "Algo"u8, 0, 0xa3, .. "Buf"u8, 0xda, (byte)(lzw.Length >> 8), (byte)lzw.Length, .. lzw];

    /// <summary>Literals only, with a clear before the codes would widen.</summary>
    private static byte[] LzwOf(ReadOnlySpan<byte> bytes)
    {
        List<bool> bits = [];
        void Write(int code)
        {
            for (int bit = 0; bit < 9; bit++)
            {
                bits.Add((code >> bit & 1) != 0);
            }
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            if (i % 200 == 0)
            {
                Write(256);
            }

            Write(bytes[i]);
        }

        Write(257);
        byte[] packed = new byte[(bits.Count + 7) / 8];
        for (int i = 0; i < bits.Count; i++)
        {
            packed[i / 8] |= (byte)(bits[i] ? 1 << (i % 8) : 0);
        }

        return packed;
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
