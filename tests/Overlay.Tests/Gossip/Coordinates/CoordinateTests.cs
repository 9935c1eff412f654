using Overlay.Gossip.Coordinates;
using Overlay.Gossip.Wire;
using Overlay.Primitives;
using Overlay.Tests.Gossip.Wire;

namespace Overlay.Tests.Gossip.Coordinates;

public sealed class CoordinateTests
{
    private static readonly Coordinate Somewhere = new([0.1, -0.2, 0, 0, 0, 0, 0, 3e-9], 0.25, -0.001, 0.002);

    [Fact]
    public void A_payload_comes_back()
    {
        byte[] payload = CoordinatePayload.Encode(Somewhere);
        Assert.Equal(130, payload.Length);
        Assert.True(CoordinatePayload.TryDecode(payload, out Coordinate? read));
        Assert.Equal(Somewhere.Vector, read.Vector);
        Assert.Equal(Somewhere with { Vector = read.Vector }, read);
    }

    [Fact]
    public void Ours_is_short_and_nearly_as_exact()
    {
        byte[] payload = CoordinatePayload.EncodeShort(Somewhere);
        Assert.Equal(23, payload.Length);
        Assert.True(CoordinatePayload.TryDecode(payload, out Coordinate? read));
        Assert.InRange(read.To(Coordinate.Origin) / Somewhere.To(Coordinate.Origin), 0.999, 1.001);
        Assert.False(CoordinatePayload.TryDecode(payload.AsSpan(0, 22), out _));
        payload[1] = 0x7c;
        Assert.False(CoordinatePayload.TryDecode(payload, out _));

        Coordinate far = Somewhere with { Height = 100 };
        Assert.Equal(CoordinatePayload.Encode(far), CoordinatePayload.EncodeShort(far));
    }

    [Fact]
    public void Serfs_own_payload_is_read_and_written_the_same()
    {
        byte[][] captured =
        [
            .. WireVector.All.Where(static v => v.IsDatagram).SelectMany(static v => v.Decode())
                .OfType<GossipMessage.Ack>().Select(static a => a.Payload).Where(static p => p.Length > 0),
        ];
        Assert.NotEmpty(captured);
        foreach (byte[] payload in captured)
        {
            Assert.True(CoordinatePayload.TryDecode(payload, out Coordinate? read));
            Assert.Equal(payload, CoordinatePayload.Encode(read));
        }
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    public void Numbers_that_are_none_are_refused(double wrong)
    {
        Assert.False(CoordinatePayload.TryDecode(CoordinatePayload.Encode(Somewhere with { Height = wrong }), out _));
        Assert.False(CoordinatePayload.TryDecode(
            CoordinatePayload.Encode(Somewhere with { Vector = Somewhere.Vector.SetItem(3, wrong) }), out _));
    }

    [Fact]
    public void Other_dimensions_versions_and_garbage_are_refused()
    {
        Prng prng = new(3);
        byte[] payload = CoordinatePayload.Encode(Somewhere);
        Assert.False(CoordinatePayload.TryDecode(CoordinatePayload.Encode(Coordinate.At([1, 2])), out _));
        Assert.False(CoordinatePayload.TryDecode([2, .. payload[1..]], out _));
        Assert.False(CoordinatePayload.TryDecode([], out _));
        for (int i = 0; i < 20_000; i++)
        {
            byte[] bytes = [.. payload.AsSpan(0, prng.Next(payload.Length + 1))];
            for (int flips = prng.Next(4); flips > 0 && bytes.Length > 0; flips--)
            {
                bytes[prng.Next(bytes.Length)] = (byte)prng.NextUInt64();
            }

            if (CoordinatePayload.TryDecode(bytes, out Coordinate? read))
            {
                Assert.True(read.IsUsable && read.Vector.Length == 8);
            }
        }
    }

    [Fact]
    public void Absurd_round_trips_teach_nothing()
    {
        OwnCoordinate own = new(new(1), Coordinate.Origin);
        byte[] payload = CoordinatePayload.Encode(Somewhere);
        Assert.False(own.Observe(new(), payload, TimeSpan.FromSeconds(11)));
        Assert.False(own.Observe(new(), payload, TimeSpan.FromTicks(-1)));
        Assert.False(own.Observe(new(), [], TimeSpan.FromMilliseconds(1)));
        Assert.Equal(Coordinate.Origin, own.Coordinate);
        Assert.True(own.Observe(new(), payload, TimeSpan.Zero));
    }

    [Fact]
    public void A_liar_cannot_send_it_beyond_the_numbers()
    {
        OwnCoordinate own = new(new(1), Coordinate.Origin);
        Coordinate far = new([.. Enumerable.Repeat(1e308, 8)], 1e308, 1e308, 1e308);
        for (int i = 0; i < 100; i++)
        {
            own.Observe(new(), CoordinatePayload.Encode(far), TimeSpan.FromMilliseconds(i));
            Assert.True(own.Coordinate.IsUsable);
            Assert.InRange(own.Coordinate.Error, 0, Coordinate.MaxError);
        }

        Assert.True(own.Resets > 0);
    }

    [Fact]
    public void One_late_answer_moves_nothing()
    {
        Position steady = new();
        Assert.Equal(0.010, steady.Filter(0.010));
        Assert.Equal(0.012, steady.Filter(0.012));
        Assert.Equal(0.012, steady.Filter(5));
        Assert.Equal(0.012, steady.Filter(0.011));
        Assert.Equal(0.011, steady.Filter(0.010));
    }
}
