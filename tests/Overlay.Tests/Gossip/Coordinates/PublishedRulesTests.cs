using Overlay.Gossip.Coordinates;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Coordinates;

/// <summary>
/// serf's published rules (Vivaldi with heights, an adjustment window of 20 and gravity), computed once more with plain
/// arrays. On the same observations both come to the same places, so that what a regression bound is missed by is the
/// draw of the observations, not the rules.
/// </summary>
public sealed class PublishedRulesTests
{
    private const int Nodes = 25;
    private const int Axes = 2;

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(3UL)]
    public void Both_computations_agree_on_the_circle_around_a_slow_node(ulong seed)
    {
        Prng prng = new(seed);
        double[][] places = [.. Enumerable.Range(0, Nodes).Select(_ => new[] { prng.NextDouble() - 0.5, prng.NextDouble() - 0.5 })];
        OwnCoordinate[] ours = [.. places.Select(p => new OwnCoordinate(new(1), Coordinate.At([.. p])))];
        Plain[] plain = [.. places.Select(static p => new Plain([.. p]))];
        for (int step = 0; step < 1000 * Nodes; step++)
        {
            int i = step % Nodes;
            int j = prng.Next(Nodes);
            if (i == j)
            {
                // As serf's own simulation does: such a turn is left out.
                continue;
            }

            double truth = i == 0 || j == 0 ? 0.2 : 0.2 * Math.Sin(Math.PI * Math.Abs(i - j) / Nodes);
            plain[i].Observe(plain[j], truth);
            ours[i].Observe(new(), ours[j].Coordinate, truth);
        }

        for (int i = 0; i < Nodes; i++)
        {
            Coordinate place = ours[i].Coordinate;
            Assert.Equal(plain[i].Error, place.Error, 1e-6);
            Assert.Equal(plain[i].Height, place.Height, 1e-6);
            Assert.Equal(plain[i].Adjustment, place.Adjustment, 1e-6);
            Assert.Equal(plain[i].At[0], place.Vector[0], 1e-6);
            Assert.Equal(plain[i].At[1], place.Vector[1], 1e-6);
        }
    }

    private sealed class Plain(double[] at)
    {
        private const double Gain = 0.25;
        private const double Rho = 150;

        private readonly double[] window = new double[20];
        private int turn;

        public double[] At { get; } = at;

        public double Error { get; private set; } = 1.5;

        public double Adjustment { get; private set; }

        public double Height { get; private set; } = 1e-5;

        public void Observe(Plain other, double seconds)
        {
            double estimate = Estimate(other);
            double weight = Error / (Error + other.Error);
            double error = (Gain * weight * Math.Abs(estimate - seconds) / seconds) + (Error * (1 - (Gain * weight)));
            Error = Math.Min(1.5, error);
            Push(other.At, other.Height, Gain * weight * (seconds - estimate));
            window[turn] = seconds - (Distance(other.At) + Height + other.Height);
            turn = (turn + 1) % window.Length;
            Adjustment = window.Sum() / (2 * window.Length);
            Plain origin = new(new double[Axes]);
            Push(origin.At, origin.Height, -Math.Pow(Estimate(origin) / Rho, 2));
        }

        private double Estimate(Plain other)
        {
            double raw = Distance(other.At) + Height + other.Height;
            return raw + Adjustment + other.Adjustment is var whole && whole > 0 ? whole : raw;
        }

        private double Distance(double[] other) => double.Hypot(At[0] - other[0], At[1] - other[1]);

        private void Push(double[] from, double height, double force)
        {
            double distance = Distance(from);
            for (int axis = 0; axis < Axes; axis++)
            {
                At[axis] += (At[axis] - from[axis]) / distance * force;
            }

            Height = Math.Max(1e-5, Height + ((Height + height) * force / distance));
        }
    }
}
