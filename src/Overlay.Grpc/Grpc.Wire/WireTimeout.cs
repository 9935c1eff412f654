using System.Globalization;

namespace Grpc.Wire;

/// <summary>The value of <c>grpc-timeout</c>: at most eight digits and a unit.</summary>
internal static class WireTimeout
{
    private const long Limit = 100_000_000;

    /// <summary>Writes a timeout in the finest unit that fits, rounded up, so that the server is not the first to
    /// give up for rounding's sake.</summary>
    public static string Format(TimeSpan timeout)
    {
        (long ticks, char unit) scale = timeout.Ticks switch
        {
            <= 0 => (TimeSpan.TicksPerMicrosecond, 'u'),
            < (Limit - 1) * TimeSpan.TicksPerMicrosecond => (TimeSpan.TicksPerMicrosecond, 'u'),
            < (Limit - 1) * TimeSpan.TicksPerMillisecond => (TimeSpan.TicksPerMillisecond, 'm'),
            < (Limit - 1) * TimeSpan.TicksPerSecond => (TimeSpan.TicksPerSecond, 'S'),
            _ => (TimeSpan.TicksPerHour, 'H'),
        };
        long count = Math.Max(0, (timeout.Ticks / scale.ticks) + (timeout.Ticks % scale.ticks > 0 ? 1 : 0));
        return string.Create(CultureInfo.InvariantCulture, $"{count}{scale.unit}");
    }

    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9
            || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long count))
        {
            return false;
        }

        long? ticks = text[^1] switch
        {
            'H' => count * TimeSpan.TicksPerHour,
            'M' => count * TimeSpan.TicksPerMinute,
            'S' => count * TimeSpan.TicksPerSecond,
            'm' => count * TimeSpan.TicksPerMillisecond,
            'u' => count * TimeSpan.TicksPerMicrosecond,
            'n' => (count + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick,
            _ => null,
        };
        timeout = new TimeSpan(ticks ?? 0);
        return ticks is not null;
    }
}
