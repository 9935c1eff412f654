using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>What a service's check may be, and what it is where nothing is said.</summary>
public static class HealthRules
{
    public const int DefaultRetries = 3;
    public const int MostRetries = 100;
    public const int HighestPort = 65535;
    public const int MostPathCharacters = 1024;

    public static readonly TimeSpan DefaultInterval = TimeSpan.FromSeconds(10);
    public static readonly TimeSpan ShortestInterval = TimeSpan.FromMilliseconds(500);
    public static readonly TimeSpan LongestInterval = TimeSpan.FromHours(1);

    /// <summary>Or the interval, where that is shorter.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(3);
    public static readonly TimeSpan ShortestTimeout = TimeSpan.FromMilliseconds(100);

    /// <summary>So many backends that hang must not hold up others for longer.</summary>
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromMinutes(1);
    public static readonly TimeSpan LongestStartPeriod = TimeSpan.FromHours(1);

    private const string Example = "Give it as in `--health tcp:8080`, or `--health http:8080/healthz`.";

    /// <summary>With the defaults in place of what is 0.</summary>
    internal static Outcome<HealthCheck> Complete(HealthCheck given, string what)
    {
        HealthCheck check = given.Clone();
        check.IntervalMs = given.IntervalMs == 0 ? (long)DefaultInterval.TotalMilliseconds : given.IntervalMs;
        check.TimeoutMs = given.TimeoutMs == 0 ? Math.Min((long)DefaultTimeout.TotalMilliseconds, check.IntervalMs) : given.TimeoutMs;
        check.Retries = given.Retries == 0 ? DefaultRetries : given.Retries;
        return (TargetFault(check, what) ?? TimeFault(check, what)) is { } fault ? fault : check;
    }

    /// <summary>From the slash on, as it is written in a request: visible ASCII without a fragment.</summary>
    public static bool IsPath(string text) =>
        text.Length is > 0 and <= MostPathCharacters && text[0] == '/' && text.All(static c => c is > ' ' and <= '~' and not '#');

    private static Refusal? TargetFault(HealthCheck check, string what)
    {
        string? why = check.Kind is not (HealthKind.Tcp or HealthKind.Http) ? "It is not said how its backends are to be checked."
            : check.Port is 0 or > HighestPort ? $"Its check is of port {check.Port}, and ports are from 1 to {HighestPort}."
            : check.Kind == HealthKind.Tcp && check.Path.Length > 0 ? "A check of a TCP port has no path."
            : check.Kind == HealthKind.Http && !IsPath(check.Path)
                ? $"The path of its check begins with '/' and has up to {MostPathCharacters} visible characters, none of them '#'."
            : null;
        return why is null ? null : new(RefusalKind.Invalid, what, why, Example);
    }

    private static Refusal? TimeFault(HealthCheck check, string what)
    {
        (string Why, string Next)? fault =
            check.IntervalMs < ShortestInterval.TotalMilliseconds || check.IntervalMs > LongestInterval.TotalMilliseconds
                ? ($"The interval of its check is {check.IntervalMs} ms, and may be from 500 ms to 1 h.",
                    "Give one as in `--health-interval 10s`.")
            : check.TimeoutMs < ShortestTimeout.TotalMilliseconds || check.TimeoutMs > LongestTimeout.TotalMilliseconds
                ? ($"The timeout of its check is {check.TimeoutMs} ms, and may be from 100 ms to 1 min.",
                    "Give one as in `--health-timeout 3s`.")
            : check.TimeoutMs > check.IntervalMs
                ? ($"The timeout of its check, {check.TimeoutMs} ms, is longer than its interval, {check.IntervalMs} ms.",
                    "Give a shorter `--health-timeout` or a longer `--health-interval`.")
            : check.Retries > MostRetries
                ? ($"The retries of its check are {check.Retries}, and may be from 1 to {MostRetries}.", "Give some as in `--health-retries 3`.")
            : check.StartPeriodMs < 0 || check.StartPeriodMs > LongestStartPeriod.TotalMilliseconds
                ? ($"The start period of its check is {check.StartPeriodMs} ms, and may be up to 1 h.",
                    "Give one as in `--health-start-period 30s`.")
            : null;
        return fault is { } found ? new(RefusalKind.Invalid, what, found.Why, found.Next) : null;
    }
}
