using System.Globalization;

namespace Overlay.Bench;

/// <summary>Durations of one figure, in milliseconds.</summary>
internal sealed class Samples
{
    private readonly List<double> values = [];

    public int Count => values.Count;

    public double Median => At(0.5);

    public void Add(TimeSpan elapsed) => values.Add(elapsed.TotalMilliseconds);

    public void Add(Samples others) => values.AddRange(others.values);

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"n={values.Count} min={At(0):0.0} p50={At(0.5):0.0} p90={At(0.9):0.0} max={At(1):0.0} ms");

    /// <param name="share">0 to 1.</param>
    public double At(double share)
    {
        if (values.Count == 0)
        {
            throw new InvalidOperationException("no rounds were measured; ask for at least one");
        }

        double[] sorted = [.. values.Order()];
        double position = share * (sorted.Length - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Length - 1);
        return sorted[below] + ((sorted[above] - sorted[below]) * (position - below));
    }
}
