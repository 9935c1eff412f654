using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Wire;

/// <summary>What the captured bytes say, value for value, and our bytes for the same values.</summary>
public sealed class GoldenTests
{
    private const string Serf = "alive 1 sA 127.0.0.1:47946 FF81A4726F6C65A3776562 010502020505 0";

    private static readonly string[] Expected =
    [
        "",
        "ack 55 ",
        PythonNode(47950) + "|" + Serf,
        "user 048BA44164647~|user 0384A24343C3A5~",
        "alive 2 sA 127.0.0.1:47946 FF82A16BA176A4726F6C65A3776562 010502020505 0",
        "Ping { SequenceNumber = 1, Node = py1, Source = 127.0.0.1:47946, SourceNode = sA }",
        "ack 9 0184AA41646A75~",
        "Nack { SequenceNumber = 777 }",
        "",
        "ack 55 ",
        PythonNode(47960) + "|" + Serf,
        "Ping { SequenceNumber = 1, Node = py1, Source = 127.0.0.1:47946, SourceNode = sA }|"
            + PythonNode(47960) + "|" + Serf,
        "user 048BA44164647~|user 0384A24343C3A5~",
        "alive 2 sA 127.0.0.1:47946 FF82A4726F6C65A3776562A16BA176 010502020505 0",
        "Ping { SequenceNumber = 2, Node = py1, Source = 127.0.0.1:47946, SourceNode = sA }",
        "ack 9 0184AA41646A75~",
        "Nack { SequenceNumber = 777 }",
    ];

    public static TheoryData<int> Numbers => [.. Enumerable.Range(0, Expected.Length)];

    [Fact]
    public void Every_vector_has_its_expectation() => Assert.Equal(Expected.Length, WireVector.All.Count);

    [Theory]
    [MemberData(nameof(Numbers))]
    public void It_says(int number)
    {
        WireVector vector = WireVector.All[number];
        IReadOnlyList<GossipMessage> messages = vector.Decode();
        if (messages is [GossipMessage.PushPull exchange])
        {
            Assert.True(exchange.Join);
            Assert.Equal(586, exchange.UserState.Length);
            Assert.Equal(
                ["sA 127.0.0.1:47946 FF81A4726F6C65A3776562 1 Alive 010502020505 0"],
                exchange.Nodes.Select(Samples.Text));
            return;
        }

        string[] expected = Expected[number].Split('|');
        Assert.Equal(expected.Length, messages.Count);
        foreach ((string wanted, GossipMessage got) in expected.Zip(messages))
        {
            string text = Samples.Text(got);
            if (wanted.EndsWith('~'))
            {
                Assert.StartsWith(wanted[..^1], text, StringComparison.Ordinal);
            }
            else
            {
                Assert.Equal(wanted, text);
            }
        }
    }

    /// <summary>Sealed ones too, below the seal: the same plaintext. Compressed ones cannot: we never compress.</summary>
    [Theory]
    [MemberData(nameof(Numbers))]
    public void We_write_the_same_bytes(int number)
    {
        WireVector vector = WireVector.All[number];
        IReadOnlyList<GossipMessage> messages = vector.Decode();
        if (!vector.IsDatagram)
        {
            Assert.Equal(vector.Plaintext, StreamCodec.Encode(messages[0], Keyring.Plaintext, new(1)));
        }
        else if (vector.Plaintext[0] != 9)
        {
            bool crc = vector.Plaintext[0] == 12;
            Assert.Equal(vector.Plaintext, PacketCodec.Encode(messages, Keyring.Plaintext, new(1), crc));
        }
    }

    [Fact]
    public void A_sealed_packet_opens_only_with_its_key()
    {
        foreach (WireVector vector in WireVector.All.Where(static v => v is { IsDatagram: true, Key: not null }))
        {
            byte[] wrong = [.. vector.Key!];
            wrong[31] ^= 1;
            Assert.False(PacketCodec.TryDecode(vector.Raw, new([wrong]), [], out PacketRejection rejection));
            Assert.Equal(PacketRejection.NotSealed, rejection);
            Assert.True(PacketCodec.TryDecode(vector.Raw, new([wrong, vector.Key!]), [], out _));
        }
    }

    [Fact]
    public void The_checksum_covers_every_bit()
    {
        WireVector vector = WireVector.All[2];
        for (int bit = 8; bit < vector.Raw.Length * 8; bit++)
        {
            byte[] flipped = [.. vector.Raw];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.False(PacketCodec.TryDecode(flipped, Keyring.Plaintext, [], out PacketRejection rejection));
            Assert.Equal(PacketRejection.BadChecksum, rejection);
        }
    }

    /// <summary>A GIF's image data is the same LZW; this one was written by the Java platform's encoder.</summary>
    [Fact]
    public void Another_encoders_output_is_unpacked()
    {
        byte[] packed = File.ReadAllBytes(Path.Combine("testdata", "lzw-gif.bin"));
        Assert.True(Lzw.TryDecode(packed, 16384, out byte[] pixels));
        byte[] expected =
        [
            .. Enumerable.Range(0, 16384).Select(static i =>
                (byte)(i < 4096 ? i >> 6 : ((i * (i >> 5)) >> 3) & (i < 10240 ? 0x3f : 0xff))),
        ];
        Assert.Equal(expected, pixels);
        Assert.False(Lzw.TryDecode(packed, 16383, out _));
        Assert.False(Lzw.TryDecode(packed.AsSpan(0, packed.Length - 2), 16384, out _));
    }

    [Fact]
    public void Budgets_are_memberlists()
    {
        Keyring keys = new([new byte[16]]);
        Assert.Equal(1400 - 5 - 2, PacketCodec.BudgetFor(Keyring.Plaintext));
        Assert.Equal(1400 - 5 - 2 - 29, PacketCodec.BudgetFor(keys));
        Prng prng = new(5);
        for (int round = 0; round < 200; round++)
        {
            List<GossipMessage> packet = [];
            int room = PacketCodec.BudgetFor(keys);
            while (packet.Count < 255 && Samples.Message(prng) is var next
                && PacketCodec.Measure(next) + PacketCodec.PartOverhead is var cost && cost <= room)
            {
                packet.Add(next);
                room -= cost;
            }

            Assert.True(packet.Count == 0 || PacketCodec.Encode(packet, keys, prng, crc: true).Length <= 1400);
        }
    }

    private static string PythonNode(int port) =>
        $"alive 1 py1 127.0.0.1:{port} FF81A4726F6C65A86F7665726C617964 010502020504 0";
}
