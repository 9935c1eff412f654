using System.Globalization;

namespace Overlay.Daemon.Configuration;

/// <summary>
/// Durations as people type them: numbers with units ms, s, m, h, d, largest first, each at most once: 1h30m, 90d,
/// 500ms.
/// </summary>
internal static class DurationText
{
    private const int MaximumLength = 32;
    private static readonly TimeSpan Longest = TimeSpan.FromDays(36_500);

    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text is not { Length: > 0 and <= MaximumLength })
        {
            return false;
        }

        ReadOnlySpan<char> rest = text;
        long previousUnit = long.MaxValue;
        double total = 0;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExceptInRange('0', '9');
            if (digits <= 0
                || !int.TryParse(rest[..digits], NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            {
                return false;
            }

            rest = rest[digits..];
            int letters = rest.IndexOfAnyInRange('0', '9');
            ReadOnlySpan<char> name = letters < 0 ? rest : rest[..letters];
            rest = letters < 0 ? [] : rest[letters..];
            long unit = Milliseconds(name);
            if (unit == 0 || unit >= previousUnit)
            {
                return false;
            }

            total += (double)number * unit;
            previousUnit = unit;
        }

        if (total > Longest.TotalMilliseconds)
        {
            return false;
        }

        duration = TimeSpan.FromMilliseconds(total);
        return true;
    }

    /// <summary>The text that reads as this duration, to the millisecond.</summary>
    public static string Format(TimeSpan duration)
    {
        if (duration <= TimeSpan.Zero)
        {
            return "0s";
        }

        long rest = (long)duration.TotalMilliseconds;
        System.Text.StringBuilder text = new();
        foreach (string unit in (string[])["d", "h", "m", "s", "ms"])
        {
            long size = Milliseconds(unit);
            if (rest >= size)
            {
                text.Append(CultureInfo.InvariantCulture, $"{rest / size}{unit}");
                rest %= size;
            }
        }

        return text.ToString();
    }

    private static long Milliseconds(ReadOnlySpan<char> unit) => unit switch
    {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
}
