using System.Text;

namespace Overlay.Daemon.Telemetry;

/// <summary>One condition of health.</summary>
/// <param name="Name">A word, as it is shown and excluded by: "gossip".</param>
/// <param name="Problem">Null while it holds, else one sentence. Called from any thread; must not wait.</param>
/// <param name="IsLiveness">Whether its failure means that only a restart helps. Others only mean "not ready".</param>
internal sealed record HealthCheck(string Name, Func<string?> Problem, bool IsLiveness = false);

/// <summary>The verdict of all checks at one moment.</summary>
internal sealed record HealthReport(IReadOnlyList<(string Name, string? Problem)> Results)
{
    public bool IsHealthy => Results.All(static r => r.Problem is null);

    /// <summary>In one sentence, for a status line: what is wrong first, or this.</summary>
    public string Summarize(string healthy) =>
        Results.FirstOrDefault(static r => r.Problem is not null) is { Problem: { } problem } ? $"not ready: {problem}" : healthy;

    /// <summary>One line for each check and a closing line, in the manner of Kubernetes.</summary>
    public string Describe(string endpoint)
    {
        StringBuilder text = new();
        foreach ((string name, string? problem) in Results)
        {
            text.Append(problem is null ? $"[+]{name} ok\n" : $"[-]{name} failed: {problem}\n");
        }

        return text.Append(endpoint).Append(IsHealthy ? " check passed\n" : " check failed\n").ToString();
    }
}

/// <summary>The agent's health, for probes, for systemd's status line and for `overlayd status`.</summary>
internal sealed class HealthChecks(params IReadOnlyList<HealthCheck> checks)
{
    public HealthReport Live(IReadOnlyCollection<string>? excluded = null) =>
        Report(static c => c.IsLiveness, excluded);

    public HealthReport Ready(IReadOnlyCollection<string>? excluded = null) => Report(static _ => true, excluded);

    private static string? ProblemOf(HealthCheck check)
    {
        try
        {
            return check.Problem();
        }
        catch (Exception e)
        {
            // A probe has to answer, whatever a check does: its failure is the finding.
            return $"the check itself failed: {e.Message}";
        }
    }

    private HealthReport Report(Func<HealthCheck, bool> isAsked, IReadOnlyCollection<string>? excluded) =>
        new([.. checks
            .Where(c => isAsked(c) && excluded?.Contains(c.Name) != true)
            .Select(c => (c.Name, ProblemOf(c)))]);
}
