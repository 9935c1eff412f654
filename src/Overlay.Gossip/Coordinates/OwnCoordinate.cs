using System.Buffers;
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

    private readonly Place here = new(start);
    private readonly Place origin = new(Coordinate.At([.. new double[start.Vector.Length]]));
    private readonly Place heard = new(Coordinate.Origin);
    private readonly double[] direction = new double[start.Vector.Length];
    private readonly double[] misses = new double[AdjustmentWindow];
    private readonly ArrayBufferWriter<byte> encoded = new(144);
    private readonly byte[] encodedShort = new byte[CoordinatePayload.ShortBytes];
    private Coordinate? shown = start;
    private int nextMiss;
    private bool isShort;

    public Coordinate Coordinate => shown ??= here.ToCoordinate();

    public Place Here => here;

    /// <summary>What an ack to this member carries; null: to somebody unknown. Good until the next answer to a probe.</summary>
    public ReadOnlySpan<byte> PayloadFor(MemberEntry? asker)
    {
        if (asker is { IsOurs: true })
        {
            isShort = isShort || CoordinatePayload.TryEncodeShort(here, encodedShort);
            if (isShort)
            {
                return encodedShort;
            }
        }

        if (encoded.WrittenCount == 0)
        {
            CoordinatePayload.Encode(here, encoded);
        }

        return encoded.WrittenSpan;
    }

    /// <summary>Times that the numbers left the finite and began anew.</summary>
    public int Resets { get; private set; }

    /// <summary>A direct probe was answered after that time, with this payload. False: nothing was learnt.</summary>
    public bool Observe(Position peer, ReadOnlySpan<byte> payload, TimeSpan roundTrip)
    {
        if (!CoordinatePayload.TryDecode(payload, heard) || roundTrip < TimeSpan.Zero || roundTrip > LongestRoundTrip)
        {
            return false;
        }

        Observe(peer, heard, roundTrip.TotalSeconds);
        return true;
    }

    internal void Observe(Position peer, Coordinate other, double seconds) => Observe(peer, new Place(other), seconds);

    private void Observe(Position peer, Place other, double seconds)
    {
        peer.Set(other);
        double filtered = Math.Max(peer.Filter(seconds), Coordinate.Coincident);
        Approach(other, filtered);
        Adjust(other, filtered);
        double away = origin.SecondsTo(here) / GravityRho;
        Push(origin, -away * away);
        if (!here.IsUsable)
        {
            here.Set(origin);
            misses.AsSpan().Clear();
            Resets++;
        }

        shown = null;
        isShort = false;
        encoded.ResetWrittenCount();
    }

    private void Approach(Place other, double seconds)
    {
        double distance = here.SecondsTo(other);
        double wrong = Math.Abs(distance - seconds) / seconds;
        double weight = here.Error / Math.Max(here.Error + other.Error, Coordinate.Coincident);
        double gain = ErrorGain * weight;
        here.Error = Math.Min((gain * wrong) + (here.Error * (1 - gain)), Coordinate.MaxError);
        Push(other, MoveGain * weight * (seconds - distance));
    }

    private void Adjust(Place other, double seconds)
    {
        misses[nextMiss] = seconds - here.RawSecondsTo(other);
        nextMiss = (nextMiss + 1) % AdjustmentWindow;
        double sum = 0;
        foreach (double miss in misses)
        {
            sum += miss;
        }

        here.Adjustment = sum / (2 * AdjustmentWindow);
    }

    /// <summary>Moves by a force in seconds: away from the other place where it is positive.</summary>
    private void Push(Place from, double force)
    {
        double separation = here.Separation(from);
        if (separation > Coordinate.Coincident)
        {
            for (int i = 0; i < direction.Length; i++)
            {
                direction[i] = (here.Vector[i] - from.Vector[i]) / separation;
            }

            here.Height = Math.Max(Coordinate.MinHeight, ((here.Height + from.Height) * force / separation) + here.Height);
        }
        else
        {
            AnyDirection();
        }

        for (int i = 0; i < direction.Length; i++)
        {
            here.Vector[i] += direction[i] * force;
        }
    }

    private void AnyDirection()
    {
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
        for (int i = 0; i < direction.Length; i++)
        {
            direction[i] /= length;
        }
    }
}
