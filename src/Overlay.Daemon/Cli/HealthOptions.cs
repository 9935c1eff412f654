using System.CommandLine;
using System.CommandLine.Parsing;
using Overlay.Cluster.Intents;
using Overlay.Daemon.Configuration;
using Overlay.V1;

namespace Overlay.Daemon.Cli;

/// <summary>--health and what belongs to it, in one place for all verbs that have it.</summary>
internal sealed class HealthOptions
{
    private const string None = "none";

    private readonly Option<string?> health;
    private readonly Option<TimeSpan?> interval = Symbols.Duration("--health-interval", "How often a backend is asked [default: 10s]");
    private readonly Option<TimeSpan?> timeout = Symbols.Duration(
        "--health-timeout", "How long an answer may take, at most the interval [default: 3s, or the interval]");
    private readonly Option<uint> retries = Symbols.Number(
        "--health-retries", "N", "So many failures in a row make it unhealthy [default: 3]", 1, HealthRules.MostRetries);
    private readonly Option<TimeSpan?> startPeriod = Symbols.Duration(
        "--health-start-period", "Failures so long after the attach do not count, until the first success [default: 0s]");

    /// <param name="replaces">The service may have a check, which goes; with "none" no other takes its place.</param>
    public HealthOptions(bool replaces = false)
    {
        const string What = "What each backend is asked by its own node: to take a connection, or to answer GET with a status from 200 to 399";
        health = replaces
            ? Symbols.Text("--health", "tcp:PORT|http:PORT/PATH|none", What + "; instead of what it has, with all that belongs to it")
            : Symbols.Text("--health", "tcp:PORT|http:PORT/PATH", What + " [default: nothing]");
        health.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens.Where(t => !HealthText.TryParse(t.Value, out _) && !(replaces && t.Value == None)))
            {
                result.AddError(
                    $"--health is '{token.Value}': use tcp:PORT or http:PORT/PATH, like tcp:5432 or http:8080/healthz{(replaces ? ", or none" : "")}");
            }
        });
    }

    public Symbol[] All => [health, interval, timeout, retries, startPeriod];

    /// <summary>The times say nothing without a check, and may not contradict each other.</summary>
    public void ValidateIn(Verb verb, string command) => verb.Validators.Add(result =>
    {
        if (result.GetResult(health) is null && All[1..].Cast<Option>().FirstOrDefault(o => result.GetResult(o) is not null) is { } lone)
        {
            result.AddError($"{command} takes {lone.Name} only with --health");
        }
        else if (Given(result.GetResult(timeout)) is { } longest
            && (result.GetResult(interval) is { } given ? Given(given) : HealthRules.DefaultInterval) is { } every && longest > every)
        {
            result.AddError(
                $"--health-timeout is '{DurationText.Format(longest)}': use at most the interval, which is {DurationText.Format(every)}");
        }
    });

    /// <summary>No check is to be there any more.</summary>
    public bool IsNone(Invocation run) => run.Text(health) == None;

    /// <summary>Null: none is asked for. What was not given is 0, which is the default.</summary>
    public HealthCheck? Read(Invocation run)
    {
        if (run.Text(health) is not { Length: > 0 } text || !HealthText.TryParse(text, out HealthCheck check))
        {
            return null;
        }

        check.IntervalMs = Milliseconds(run.Value(interval));
        check.TimeoutMs = Milliseconds(run.Value(timeout));
        check.Retries = run.Value(retries);
        check.StartPeriodMs = Milliseconds(run.Value(startPeriod));
        return check;
    }

    /// <summary>Null: none is given, or what is given is none, which its own option says.</summary>
    private static TimeSpan? Given(OptionResult? result) =>
        result is { Tokens: [var token] } && DurationText.TryParse(token.Value, out TimeSpan time) ? time : null;

    private static long Milliseconds(TimeSpan? time) => (long)(time?.TotalMilliseconds ?? 0);
}
