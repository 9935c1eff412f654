namespace Overlay.Primitives;

/// <summary>
/// A point on a monotonic clock, in nanoseconds since an origin that only the owner of the clock knows.
/// Pure rooms are told the instant; they never read it.
/// </summary>
/// <param name="Nanoseconds">Nanoseconds since the clock's origin; never negative in practice.</param>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    /// <summary>Later than every instant a clock will show: "no deadline".</summary>
    public static readonly Instant Never = new(long.MaxValue);

    public static Instant operator +(Instant instant, TimeSpan duration) =>
        instant == Never ? Never : new(instant.Nanoseconds + (duration.Ticks * 100));

    public static Instant operator -(Instant instant, TimeSpan duration) =>
        instant == Never ? Never : new(instant.Nanoseconds - (duration.Ticks * 100));

    public static TimeSpan operator -(Instant later, Instant earlier) =>
        TimeSpan.FromTicks((later.Nanoseconds - earlier.Nanoseconds) / 100);

    public static bool operator <(Instant left, Instant right) => left.Nanoseconds < right.Nanoseconds;

    public static bool operator >(Instant left, Instant right) => left.Nanoseconds > right.Nanoseconds;

    public static bool operator <=(Instant left, Instant right) => left.Nanoseconds <= right.Nanoseconds;

    public static bool operator >=(Instant left, Instant right) => left.Nanoseconds >= right.Nanoseconds;

    public static Instant Min(Instant left, Instant right) => left <= right ? left : right;

    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);

    public override string ToString() =>
        this == Never ? "never" : $"{Nanoseconds / 1_000_000_000}.{Nanoseconds / 1_000_000 % 1000:D3}s";
}
