using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Wire;

/// <summary>An I/O shell must learn from the bytes alone when a unit has arrived, in the clear and sealed.</summary>
public sealed class StreamMeasureTests
{
    private static readonly Keyring Sealed = new([new byte[32]]);

    [Fact]
    public void A_part_of_a_captured_unit_asks_for_more()
    {
        foreach (WireVector vector in WireVector.All.Where(static v => !v.IsDatagram))
        {
            Assert.Equal(StreamMeasure.Complete, StreamCodec.TryMeasure(vector.Raw, vector.Keys, out int total));
            for (int length = 0; length < total; length++)
            {
                Assert.Equal(
                    StreamMeasure.NeedMore, StreamCodec.TryMeasure(vector.Raw.AsSpan(0, length), vector.Keys, out _));
            }
        }
    }

    [Fact]
    public void A_part_of_any_unit_asks_for_more_and_bytes_behind_it_do_not_count()
    {
        Prng prng = new(50);
        for (int round = 0; round < 100; round++)
        {
            Keyring keys = round % 2 == 0 ? Keyring.Plaintext : Sealed;
            byte[] unit = StreamCodec.Encode(Samples.Stream(prng), keys, prng);
            int step = 1 + (unit.Length / 500);
            for (int length = 0; length < unit.Length; length += step)
            {
                Assert.Equal(StreamMeasure.NeedMore, StreamCodec.TryMeasure(unit.AsSpan(0, length), keys, out _));
            }

            byte[] more = [.. unit, 1, 2, 3];
            Assert.Equal(StreamMeasure.Complete, StreamCodec.TryMeasure(more, keys, out int total));
            Assert.Equal(unit.Length, total);
        }
    }

    [Fact]
    public void Measuring_keeps_nothing()
    {
        Prng prng = new(51);
        byte[] unit = StreamCodec.Encode(Samples.Stream(prng), Keyring.Plaintext, prng);
        Assert.Equal(0, Allocations.Least(() =>
        {
            for (int round = 0; round < 100; round++)
            {
                StreamCodec.TryMeasure(unit, Keyring.Plaintext, out _);
            }
        }));
    }

    [Fact]
    public void What_no_more_bytes_can_mend_is_invalid()
    {
        byte[] nodes = [6, 0x81, 0xa5, .. "Nodes"u8];
        byte[] state = [6, 0x81, 0xac, .. "UserStateLen"u8];
        Assert.Equal(StreamMeasure.Invalid, Measure([.. nodes, 0xce, 0xff, 0xff, 0xff, 0xff]));
        Assert.Equal(StreamMeasure.Invalid, Measure([.. state, 0xce, 0xff, 0xff, 0xff, 0xff]));
        Assert.Equal(StreamMeasure.Invalid, Measure([.. nodes, 0xff]));
        Assert.Equal(StreamMeasure.Invalid, Measure([8, 0x81, 0xaa, .. "UserMsgLen"u8, 0xce, 0x7f, 0, 0, 0]));
        Assert.Equal(StreamMeasure.Invalid, Measure([4, 0x80]));
        Assert.Equal(StreamMeasure.Invalid, Measure([244, 1, 0]));
        Assert.Equal(StreamMeasure.Invalid, Measure([2, 0xc1]));
        Assert.Equal(StreamMeasure.Invalid, Measure([9, 0x81, 0xa3, .. "Buf"u8, 0xdb, 0xff, 0xff, 0xff, 0xff]));
        Assert.Equal(StreamMeasure.NeedMore, Measure([9, 0x81, 0xa3, .. "Buf"u8, 0xdb, 0, 0xff, 0xff, 0xff]));
        Assert.Equal(StreamMeasure.NeedMore, Measure([.. nodes, 0xcd, 1, 0]));
        Assert.Equal(
            StreamMeasure.Invalid, StreamCodec.TryMeasure([10, 0x7f, 0xff, 0xff, 0xff], Sealed, out _));
        Assert.Equal(StreamMeasure.Invalid, StreamCodec.TryMeasure([10, 0, 0, 0, 28], Sealed, out _));
        Assert.Equal(StreamMeasure.Invalid, StreamCodec.TryMeasure([6], Sealed, out _));
        Assert.Equal(StreamMeasure.NeedMore, StreamCodec.TryMeasure([10, 0, 0, 0, 29], Sealed, out _));
    }

    [Fact]
    public void A_sealed_streams_length_is_sealed_too()
    {
        Prng prng = new(52);
        byte[] unit = StreamCodec.Encode(Samples.Stream(prng), Sealed, prng);
        for (int at = 0; at < unit.Length; at += 1 + (unit.Length / 200))
        {
            byte[] changed = [.. unit];
            changed[at] ^= 1;
            Assert.False(StreamCodec.TryDecode(changed, Sealed, out _, out PacketRejection rejection));
            Assert.Equal(PacketRejection.NotSealed, rejection);
        }
    }

    [Fact]
    public void A_compressed_stream_that_grows_past_the_limit_is_refused()
    {
        byte[] bomb = Samples.LzwBomb(60_000);
        byte[] unit =
        [
            9, 0x82, 0xa4, .. "Algo"u8, 0, 0xa3, .. "Buf"u8, 0xdb, 0, (byte)(bomb.Length >> 16), (byte)(bomb.Length >> 8),
            (byte)bomb.Length, .. bomb,
        ];
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.False(StreamCodec.TryDecode(unit, Keyring.Plaintext, out _, out PacketRejection rejection));
        Assert.Equal(PacketRejection.BadCompression, rejection);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 64 << 20);
    }

    private static StreamMeasure Measure(byte[] bytes) => StreamCodec.TryMeasure(bytes, Keyring.Plaintext, out _);
}
