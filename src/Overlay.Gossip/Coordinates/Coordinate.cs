using System.Collections.Immutable;

namespace Overlay.Gossip.Coordinates;

/// <summary>
/// A place in Vivaldi's space (Dabek et al., SIGCOMM 2004, with heights): the distance of two places estimates the
/// round trip between their nodes. All in seconds.
/// </summary>
/// <param name="Vector"><see cref="Dimensions"/> numbers on the wire; both places of a distance have as many.</param>
/// <param name="Error">How far it trusts itself: a relative error, at most <see cref="MaxError"/>.</param>
/// <param name="Adjustment">What estimates to this place miss on average (Ledlie et al., NSDI 2007).</param>
/// <param name="Height">The part of every round trip that is the node's own access link.</param>
public sealed record Coordinate(ImmutableArray<double> Vector, double Error, double Adjustment, double Height)
{
    public const int Dimensions = 8;
    public const double MaxError = 1.5;
    public const double MinHeight = 1e-5;

    /// <summary>Below this two places are the same.</summary>
    public const double Coincident = 1e-6;

    public static readonly Coordinate Origin = At([.. new double[Dimensions]]);

    public bool IsUsable =>
        double.IsFinite(Error) && double.IsFinite(Adjustment) && double.IsFinite(Height)
        && Vector.All(double.IsFinite);

    /// <summary>A place that trusts itself as little as a new one does.</summary>
    internal static Coordinate At(ImmutableArray<double> vector) => new(vector, MaxError, 0, MinHeight);

    /// <summary>The estimated round trip.</summary>
    public TimeSpan To(Coordinate other)
    {
        double seconds = SecondsTo(other);
        return double.IsFinite(seconds) && seconds < TimeSpan.FromDays(1).TotalSeconds
            ? TimeSpan.FromSeconds(seconds)
            : TimeSpan.MaxValue;
    }

    internal double SecondsTo(Coordinate other)
    {
        double raw = RawSecondsTo(other);
        double adjusted = raw + Adjustment + other.Adjustment;
        return adjusted > 0 ? adjusted : raw;
    }

    internal double RawSecondsTo(Coordinate other) => Separation(other) + Height + other.Height;

    internal double Separation(Coordinate other)
    {
        double squares = 0;
        for (int i = 0; i < Vector.Length; i++)
        {
            double difference = Vector[i] - other.Vector[i];
            squares += difference * difference;
        }

        return Math.Sqrt(squares);
    }
}
