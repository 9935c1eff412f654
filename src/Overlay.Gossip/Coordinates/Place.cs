namespace Overlay.Gossip.Coordinates;

/// <summary>A <see cref="Coordinate"/> in memory that is used again: one moves with every answered probe.</summary>
internal sealed class Place
{
    private readonly double[] vector;

    public Place(Coordinate start)
    {
        vector = [.. start.Vector];
        Set(start);
    }

    public Span<double> Vector => vector;

    public double Error { get; set; }

    public double Adjustment { get; set; }

    public double Height { get; set; }

    public bool IsUsable
    {
        get
        {
            bool usable = double.IsFinite(Error) && double.IsFinite(Adjustment) && double.IsFinite(Height);
            foreach (double component in vector)
            {
                usable &= double.IsFinite(component);
            }

            return usable;
        }
    }

    public void Set(Coordinate other)
    {
        other.Vector.AsSpan().CopyTo(vector);
        (Error, Adjustment, Height) = (other.Error, other.Adjustment, other.Height);
    }

    public void Set(Place other)
    {
        other.vector.AsSpan().CopyTo(vector);
        (Error, Adjustment, Height) = (other.Error, other.Adjustment, other.Height);
    }

    public Coordinate ToCoordinate() => new([.. vector], Error, Adjustment, Height);

    /// <summary>The estimated round trip in seconds.</summary>
    public double SecondsTo(Place other)
    {
        double raw = RawSecondsTo(other);
        double adjusted = raw + Adjustment + other.Adjustment;
        return adjusted > 0 ? adjusted : raw;
    }

    public double RawSecondsTo(Place other) => Separation(other) + Height + other.Height;

    public double Separation(Place other)
    {
        double squares = 0;
        for (int i = 0; i < vector.Length; i++)
        {
            double difference = vector[i] - other.vector[i];
            squares += difference * difference;
        }

        return Math.Sqrt(squares);
    }
}
