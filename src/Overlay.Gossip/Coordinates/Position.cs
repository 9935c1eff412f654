namespace Overlay.Gossip.Coordinates;

/// <summary>Where a peer said it is, and the last round trips to it; the middle one counts, so that one late answer
/// moves nothing.</summary>
internal sealed class Position
{
    private const int FilterSize = 3;

    private readonly double[] samples = new double[FilterSize];
    private int held;
    private int next;

    /// <summary>In as many dimensions as what was last said.</summary>
    public Place Place { get; private set; } = new(Coordinate.Origin);

    public Coordinate Coordinate => Place.ToCoordinate();

    public void Set(Place said)
    {
        if (said.Vector.Length != Place.Vector.Length)
        {
            Place = new(said.ToCoordinate());
        }

        Place.Set(said);
    }

    /// <summary>The median of the last samples, this one included; in seconds.</summary>
    public double Filter(double seconds)
    {
        samples[next] = seconds;
        next = (next + 1) % FilterSize;
        held = Math.Min(held + 1, FilterSize);
        Span<double> sorted = stackalloc double[FilterSize];
        samples.AsSpan(0, held).CopyTo(sorted);
        sorted[..held].Sort();
        return sorted[held / 2];
    }
}
