using Overlay.Gossip.Tables;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Tables;

public sealed class TableCodecTests
{
    [Fact]
    public void Every_message_survives_the_round_trip()
    {
        var prng = new Prng(1);
        for (int i = 0; i < 2000; i++)
        {
            List<TableMessage> messages = [.. Enumerable.Range(0, prng.Next(4)).Select(_ => Any(prng))];
            byte[] bytes = TableCodec.Encode("sender", messages);
            List<TableMessage> read = [];
            Assert.True(TableCodec.TryDecode(bytes, out string sender, read));
            Assert.Equal("sender", sender);
            Assert.Equal(messages.Count, read.Count);
            Assert.Equal(bytes, TableCodec.Encode("sender", read));
            Assert.Equal(
                bytes.Length,
                TableCodec.Encode("sender", []).Length + messages.Sum(TableCodec.Measure));
        }
    }

    [Fact]
    public void The_format_is_fixed()
    {
        byte[] bytes = TableCodec.Encode("n1", [new TableMessage.Delta(
            "net", "own", 300, 4, 6, 6, 1, 0, [new("a", 5, new byte[] { 7 }), new("b", 6, null)])]);
        Assert.Equal(
            "4F01026E3104036E6574036F776EAC0204060601000201610501010701620600", Convert.ToHexString(bytes));
    }

    [Fact]
    public void Truncated_input_is_refused_or_shorter_and_never_throws()
    {
        var prng = new Prng(2);
        for (int i = 0; i < 200; i++)
        {
            byte[] bytes = TableCodec.Encode("sender", [Any(prng)]);
            for (int length = 0; length < bytes.Length; length++)
            {
                List<TableMessage> read = [];
                bool decoded = TableCodec.TryDecode(bytes.AsSpan(0, length), out _, read);
                Assert.True(!decoded || read.Count == 0);
            }
        }
    }

    [Fact]
    public void Mutated_and_random_input_never_throws_and_what_is_accepted_is_canonical_in_meaning()
    {
        var prng = new Prng(3);
        int accepted = 0;
        for (int i = 0; i < 30_000; i++)
        {
            byte[] bytes = i % 3 == 0 ? Noise(prng) : TableCodec.Encode("sender", [Any(prng), Any(prng)]);
            for (int flips = prng.Next(4); flips > 0 && bytes.Length > 2; flips--)
            {
                bytes[2 + prng.Next(bytes.Length - 2)] = (byte)prng.Next(256);
            }

            List<TableMessage> read = [];
            if (TableCodec.TryDecode(bytes, out string sender, read))
            {
                accepted++;
                List<TableMessage> again = [];
                Assert.True(TableCodec.TryDecode(TableCodec.Encode(sender, read), out _, again));
                Assert.Equal(read.Count, again.Count);
            }
        }

        Assert.True(accepted > 1000);
    }

    [Fact]
    public void Huge_counts_and_lengths_cost_nothing()
    {
        byte[] many = [0x4F, 1, 1, (byte)'n', 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F];
        Assert.False(TableCodec.TryDecode(many, out _, []));
        byte[] endless = [0x4F, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];
        Assert.False(TableCodec.TryDecode(endless, out _, []));
    }

    [Fact]
    public void A_difference_must_be_in_order_and_within_its_range()
    {
        Assert.False(Reads(Delta(4, 6, 6, 4)));
        Assert.False(Reads(Delta(4, 6, 6, 7)));
        Assert.False(Reads(Delta(4, 6, 6, 6, 5)));
        Assert.False(Reads(Delta(6, 6, 6)));
        Assert.False(Reads(Delta(4, 6, 5)));
        Assert.True(Reads(Delta(4, 6, 6, 5, 6)));

        static bool Reads(TableMessage message) => TableCodec.TryDecode(TableCodec.Encode("n", [message]), out _, []);
    }

    private static TableMessage.Delta Delta(ulong from, ulong to, ulong head, params ulong[] versions) =>
        new("net", "own", 1, from, to, head, 0, 0, [.. versions.Select(v => new TableItem($"k{v}", v, null))]);

    private static byte[] Noise(Prng prng)
    {
        byte[] noise = new byte[2 + prng.Next(300)];
        prng.Fill(noise);
        noise[0] = (byte)'O';
        noise[1] = 1;
        return noise;
    }

    private static TableMessage Any(Prng prng) => prng.Next(4) switch
    {
        0 => new TableMessage.Summary([.. Enumerable.Range(0, prng.Next(5))
            .Select(i => new NetworkFingerprint($"net{i}", prng.NextUInt64()))]),
        1 => new TableMessage.Digest("net", "", "zürich", Lines(prng)),
        2 => new TableMessage.Want("", Lines(prng)),
        _ => AnyDelta(prng),
    };

    private static List<DigestLine> Lines(Prng prng) =>
        [.. Enumerable.Range(0, prng.Next(5))
            .Select(i => new DigestLine($"node{i}", prng.NextUInt64(), (ulong)prng.Next(1000)))];

    private static TableMessage.Delta AnyDelta(Prng prng)
    {
        ulong from = (ulong)prng.Next(1000);
        ulong version = from;
        List<TableItem> items = [];
        for (int i = prng.Next(6); i > 0; i--)
        {
            version += 1 + (ulong)prng.Next(3);
            byte[] value = new byte[prng.Next(60)];
            prng.Fill(value);
            items.Add(new($"k{i}", version, prng.Chance(0.3) ? default(ReadOnlyMemory<byte>?) : value));
        }

        ulong to = version + 1;
        ulong head = to + (ulong)prng.Next(5);
        return new("net", "node", prng.NextUInt64() | 1, from, to, head, 0, (ulong)prng.Next(9), items);
    }
}
