using Overlay.Primitives;

namespace Overlay.Gossip.Coordinates;

/// <summary>
/// This node's place, moved by every answered direct probe so that distances come to match round trips: Vivaldi with
/// serf's constants, adjustment window and gravity, so that both kinds of agents share one space.
/// </summary>
internal sealed class OwnCoordinate(Prng prng, Coordinate start)
{
    private const double ErrorGain = 0.25;
    private const double MoveGain = 0.25;
    private const int AdjustmentWindow = 20;

    /// <summary>Seconds; larger pulls less. It keeps the whole space from drifting away from the origin.</summary>
    private const double GravityRho = 150;

    private static readonly TimeSpan LongestRoundTrip = TimeSpan.FromSeconds(10);

    private readonly Coordinate origin = Coordinate.At([.. new double[start.Vector.Length]]);
    private readonly double[] misses = new double[AdjustmentWindow];
    private int nextMiss;
    private byte[]? encoded;
    private byte[]? encodedShort;

    public Coordinate Coordinate { get; private set; } = start;

    /// <summary>What an ack to this member carries; null: to somebody unknown.</summary>
    public byte[] PayloadFor(MemberEntry? asker) => asker is { IsOurs: true }
        ? encodedShort ??= CoordinatePayload.EncodeShort(Coordinate)
        : encoded ??= CoordinatePayload.Encode(Coordinate);

    /// <summary>Times that the numbers left the finite and began anew.</summary>
    public int Resets { get; private set; }

    /// <summary>A direct probe was answered after that time, with this payload. False: nothing was learnt.</summary>
    public bool Observe(Position peer, ReadOnlySpan<byte> payload, TimeSpan roundTrip)
    {
        if (!CoordinatePayload.TryDecode(payload, out Coordinate? other)
            || roundTrip < TimeSpan.Zero || roundTrip > LongestRoundTrip)
        {
            return false;
        }

        Observe(peer, other, roundTrip.TotalSeconds);
        return true;
    }

    internal void Observe(Position peer, Coordinate other, double seconds)
    {
        peer.Coordinate = other;
        double filtered = Math.Max(peer.Filter(seconds), Coordinate.Coincident);
        Approach(other, filtered);
        Adjust(other, filtered);
        double away = origin.SecondsTo(Coordinate) / GravityRho;
        Coordinate = Pushed(origin, -away * away);
        encoded = encodedShort = null;
        if (!Coordinate.IsUsable)
        {
            Coordinate = origin;
            misses.AsSpan().Clear();
            Resets++;
        }
    }

    private void Approach(Coordinate other, double seconds)
    {
        double distance = Coordinate.SecondsTo(other);
        double wrong = Math.Abs(distance - seconds) / seconds;
        double weight = Coordinate.Error / Math.Max(Coordinate.Error + other.Error, Coordinate.Coincident);
        double gain = ErrorGain * weight;
        Coordinate = Coordinate with
        {
            Error = Math.Min((gain * wrong) + (Coordinate.Error * (1 - gain)), Coordinate.MaxError),
        };
        Coordinate = Pushed(other, MoveGain * weight * (seconds - distance));
    }

    private void Adjust(Coordinate other, double seconds)
    {
        misses[nextMiss] = seconds - Coordinate.RawSecondsTo(other);
        nextMiss = (nextMiss + 1) % AdjustmentWindow;
        Coordinate = Coordinate with { Adjustment = misses.Sum() / (2 * AdjustmentWindow) };
    }

    /// <summary>Moved by a force in seconds: away from the other place where it is positive.</summary>
    private Coordinate Pushed(Coordinate from, double force)
    {
        double separation = Coordinate.Separation(from);
        double[] direction = separation > Coordinate.Coincident
            ? [.. Coordinate.Vector.Zip(from.Vector, (mine, theirs) => (mine - theirs) / separation)]
            : AnyDirection();
        double height = separation > Coordinate.Coincident
            ? Math.Max(Coordinate.MinHeight, ((Coordinate.Height + from.Height) * force / separation) + Coordinate.Height)
            : Coordinate.Height;
        return Coordinate with
        {
            Vector = [.. Coordinate.Vector.Zip(direction, (at, towards) => at + (towards * force))],
            Height = height,
        };
    }

    private double[] AnyDirection()
    {
        double[] direction = new double[origin.Vector.Length];
        double squares = 0;
        while (squares < Coordinate.Coincident)
        {
            squares = 0;
            for (int i = 0; i < direction.Length; i++)
            {
                direction[i] = prng.NextDouble() - 0.5;
                squares += direction[i] * direction[i];
            }
        }

        double length = Math.Sqrt(squares);
        return [.. direction.Select(d => d / length)];
    }
}
