using Overlay.Cluster.Intents;
using Overlay.V1;

namespace Overlay.Node;

/// <summary>What is looked at, how often, and what counts. A new one is another check.</summary>
/// <param name="Kind">Unspecified: only the command looks.</param>
/// <param name="Command">For /bin/sh; empty: none.</param>
internal sealed record HealthPlan(
    HealthKind Kind, int Port, string Path, string Command, TimeSpan Interval, TimeSpan Timeout, int Retries, TimeSpan StartPeriod)
{
    /// <summary>Null: nobody looks.</summary>
    /// <param name="check">Of the service; a manager's word, and yet no reason to ask without end.</param>
    /// <param name="command">Of the endpoint.</param>
    public static HealthPlan? Of(HealthCheck? check, string command)
    {
        if (check?.Kind is HealthKind.Tcp or HealthKind.Http && check.Port is > 0 and <= HealthRules.HighestPort)
        {
            TimeSpan interval = Between(check.IntervalMs, HealthRules.ShortestInterval, HealthRules.LongestInterval);
            return new(
                check.Kind, (int)check.Port, check.Kind == HealthKind.Http ? check.Path : "", command, interval,
                Between(check.TimeoutMs, HealthRules.ShortestTimeout, interval < HealthRules.LongestTimeout ? interval : HealthRules.LongestTimeout),
                (int)Math.Clamp(check.Retries, 1, (uint)HealthRules.MostRetries),
                Between(check.StartPeriodMs, TimeSpan.Zero, HealthRules.LongestStartPeriod));
        }

        return command.Length == 0
            ? null
            : new(
                HealthKind.Unspecified, 0, "", command, HealthRules.DefaultInterval, HealthRules.DefaultTimeout, HealthRules.DefaultRetries,
                TimeSpan.Zero);
    }

    private static TimeSpan Between(long milliseconds, TimeSpan least, TimeSpan most) =>
        TimeSpan.FromMilliseconds(Math.Clamp(milliseconds, (long)least.TotalMilliseconds, (long)most.TotalMilliseconds));
}
