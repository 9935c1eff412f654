using System.Globalization;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Ages as tables show them: "3 minutes ago". The unit is the largest of which at least one has passed.
/// </summary>
internal static class ElapsedText
{
    /// <param name="unixMilliseconds">0: unknown, shown as "-".</param>
    /// <param name="now">A moment before the given one is shown as "now": clocks of two hosts differ.</param>
    public static string Ago(long unixMilliseconds, DateTimeOffset now)
    {
        if (unixMilliseconds <= 0)
        {
            return "-";
        }

        long seconds = (now.ToUnixTimeMilliseconds() - unixMilliseconds) / 1000;
        return seconds <= 0 ? "now" : Span(seconds) + " ago";
    }

    /// <summary>"in 89 days", or "3 hours ago" for what is over.</summary>
    public static string Until(long unixMilliseconds, DateTimeOffset now)
    {
        if (unixMilliseconds <= 0)
        {
            return "-";
        }

        long seconds = (unixMilliseconds - now.ToUnixTimeMilliseconds()) / 1000;
        return seconds > 0 ? "in " + Span(seconds) : Ago(unixMilliseconds, now);
    }

    /// <summary>"3 minutes".</summary>
    public static string For(TimeSpan span) => Span(Math.Max(1, (long)span.TotalSeconds));

    private static string Span(long seconds) => seconds switch
    {
        < 60 => Count(seconds, "second"),
        < 3600 => Count(seconds / 60, "minute"),
        < 86_400 => Count(seconds / 3600, "hour"),
        < 86_400 * 730L => Count(seconds / 86_400, "day"),
        _ => Count(seconds / (86_400 * 365L), "year"),
    };

    private static string Count(long number, string unit) =>
        string.Create(CultureInfo.InvariantCulture, $"{number} {unit}{(number == 1 ? "" : "s")}");
}
