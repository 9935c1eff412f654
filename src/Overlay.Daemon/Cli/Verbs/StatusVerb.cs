using System.Globalization;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>status</c>: how this node is, for people in a dozen lines and for scripts in the exit code.</summary>
internal static class StatusVerb
{
    public static Verb Make(VerbMaker maker)
    {
        Verb verb = new(
            "status", "Show how this node is; exits with 0 ready, 3 not running, 4 not in a cluster, 5 degraded, 6 too few managers",
            "overlayd status", "overlayd status -q && echo ready", "overlayd status --format json");
        return maker.Does(verb, ShowAsync);
    }

    private static async Task<int> ShowAsync(Invocation run)
    {
        StatusResponse status = await run.CallAsync(
            "cannot show the status", static (agent, options) => agent.GetStatusAsync(new(), options));
        if (run.Output.Options.Json)
        {
            run.Output.Result(status, "");
        }
        else if (run.Output.Options.Quiet)
        {
            run.Output.Line(status.State);
        }
        else
        {
            Write(run.Output, status);
        }

        return CodeOf(status);
    }

    private static int CodeOf(StatusResponse status)
    {
        if (status.ClusterId.Length == 0)
        {
            return ExitCode.NotInCluster;
        }

        if (status.Managers is { } managers && managers.Reachable < managers.Needed)
        {
            return ExitCode.NoQuorum;
        }

        return status.Problems.Count == 0 && status.State == "ready" ? ExitCode.Ok : ExitCode.Degraded;
    }

    private static void Write(Output output, StatusResponse status)
    {
        DateTimeOffset now = output.Now;
        output.State(Label("State"), status.State);
        foreach (string problem in status.Problems)
        {
            output.Line(Label("Problem") + problem);
        }

        if (status.ClusterId.Length > 0)
        {
            output.Line($"{Label("Cluster")}{status.ClusterId}");
            output.Line($"{Label("Node")}{status.Hostname} ({status.NodeId}), {RoleText.Of(status.Role)}{AvailabilityText(status.Availability)}");
            output.Line($"{Label("Address")}{status.AdvertiseAddress}, data path {Or(status.DataPathAddress)}");
            output.Line(Label("Manager") + Manager(status.Manager));
            output.Line(Label("Managers") + Managers(status.Managers));
            if (status.Managers is { Mended: { Length: > 0 } mended })
            {
                output.Line(Label("Log") + mended);
            }

            output.Line(Label("Gossip") + Gossip(status.Gossip));
            output.Line(Label("Data plane") + Dataplane(status.Dataplane, now));
            output.Line(Text($"{Label("Networks")}{status.Networks}"));
            output.Line(Text($"{Label("Endpoints")}{status.EndpointsLocal} here, {status.EndpointsTotal} in all"));
            output.Line(Label("Certificate") + "expires " + ElapsedText.Until(status.CertificateExpiresUnixMs, now));
        }

        output.Line($"{Label("Agent")}{status.Version}, started {ElapsedText.Ago(status.StartedUnixMs, now)}");
        if (status.ClusterId.Length == 0)
        {
            output.Talk("Run `overlayd init` to begin a cluster, or `overlayd join` with a token to join one.");
        }
    }

    private static string AvailabilityText(string availability) => availability switch
    {
        "pause" => ", paused (no new endpoints)",
        "drain" => ", drained (no new endpoints, and those it has are in no names)",
        _ => "",
    };

    private static string Manager(ManagerSessionView? manager) => manager switch
    {
        null => "-",
        { Connected: true } => Text($"connected to {manager.Address}, at version {manager.AppliedVersion}"),
        { LastError.Length: > 0 } => $"not connected: {manager.LastError}",
        _ => "not connected",
    };

    private static string Managers(ManagersView? managers)
    {
        if (managers is null)
        {
            return "-";
        }

        string leader = managers.Leader.Length == 0 ? "" : $", {managers.Leader} leads";
        string role = managers.Role.Length == 0 ? "" : $"; this node is {managers.Role}";
        string replaced = managers.Replacing.Length > 0 ? $"; replacing {managers.Replacing}"
            : managers.ReplaceAfterSeconds > 0 ? $"; one that is gone is replaced after {ElapsedText.For(TimeSpan.FromSeconds(managers.ReplaceAfterSeconds))}"
            : "";
        return Text($"{managers.Reachable} of {managers.Total} reachable, {managers.Needed} needed") + leader + role + replaced;
    }

    private static string Gossip(GossipView? gossip)
    {
        if (gossip is null)
        {
            return "-";
        }

        string counts = Text($"{gossip.Alive} alive, {gossip.Suspect} suspect, {gossip.Dead} dead");
        string down = gossip.AgentDown == 0 ? "" : Text($", {gossip.AgentDown} with its agent down");
        string degraded = gossip.Degraded == 0 ? "" : Text($", {gossip.Degraded} by TCP only");
        string held = gossip.HeldDown == 0 ? "" : Text($", {gossip.HeldDown} held down for flapping");
        string left = gossip.Left == 0 ? "" : Text($", {gossip.Left} left");
        return counts + down + degraded + held + left + (
            gossip.HealthScore == 0 ? "" : Text($"; own health score {gossip.HealthScore} (0 is best)"));
    }

    private static string Dataplane(DataplaneView? dataplane, DateTimeOffset now)
    {
        if (dataplane is null)
        {
            return "-";
        }

        List<string> parts = [Text($"{dataplane.PendingOperations} operations pending")];
        parts.Add(Text($"{dataplane.Repairs} repaired"));
        parts.Add(Text($"{dataplane.Failures} failed"));
        if (dataplane.UnderlayMtu != 0)
        {
            parts.Add(Text($"underlay MTU {dataplane.UnderlayMtu}"));
        }

        if (dataplane.LoadBalancer.Length > 0)
        {
            parts.Add("balanced by " + dataplane.LoadBalancer);
        }

        parts.Add("compared " + ElapsedText.Ago(dataplane.LastReconcileUnixMs, now));
        return string.Join(", ", parts) + (
            dataplane.LastError.Length > 0 ? $"; last error: {dataplane.LastError}" : "");
    }

    private static string Label(string name) => (name + ":").PadRight(13);

    private static string Or(string text) => text.Length == 0 ? "-" : text;

    private static string Text(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
