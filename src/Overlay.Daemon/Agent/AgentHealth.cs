using Overlay.Daemon.Telemetry;

namespace Overlay.Daemon.Agent;

/// <summary>When the agent is ready: its checks, each with the sentence that says what is wrong.</summary>
internal static class AgentHealth
{
    public static HealthChecks Checks(AgentHost host) => new(
        new HealthCheck("agent", () => host.Failure.IsFaulted ? "the agent cannot go on" : null, IsLiveness: true),
        new HealthCheck("cluster", () => host.Current is not null ? null
            : host.Locked is null ? "this node is not in a cluster" : "this manager is locked: type `overlayd unlock`"),
        new HealthCheck("manager", () => host.Current is { Session.Current: { Client: null } session }
            ? $"no session with a manager: {session.LastError}" : null),
        new HealthCheck("dataplane", () => host.Services.Reconciler.Status is { Pending: > 0 } status
            ? $"{status.Pending} operations failed: {status.LastError}" : null),
        new HealthCheck("names", () => host.Services.Names.Sandboxes.FirstOrDefault(static s => s.Problem is not null)?.Problem));

    /// <summary>How the agent is, in one line.</summary>
    public static string Sentence(AgentHost host) => Checks(host).Ready().Summarize($"ready in cluster {host.Current?.Record.ClusterId}");
}
