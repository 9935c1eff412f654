using System.CommandLine;
using Overlay.Cluster;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>update</c>: what holds for the whole cluster.</summary>
internal static class UpdateVerb
{
    private const string Off = "off";

    public static Verb Make(VerbMaker maker)
    {
        Option<string?> autolock = Symbols.Choice(
            "--autolock", "Lock the managers' disks: after a restart they wait for a key; root", "true", "false");
        Option<string?> replace = Symbols.Text(
            "--replace-managers", "DURATION|off", "A worker takes the place of a manager that is gone for so long [default of a cluster: off]");
        replace.CompletionSources.Add(Off, "10m", "1h");
        replace.Validators.Add(static result =>
        {
            if (result.Tokens is [var token] && !TryRead(token.Value, out _))
            {
                result.AddError($"--replace-managers is '{token.Value}': use off or a duration from 10s to 30d, like 10m");
            }
        });
        Verb verb = new(
            "update", "Change what holds for the whole cluster; on a manager", "overlayd update --autolock=true",
            "overlayd update --autolock=false", "overlayd update --replace-managers 10m", "overlayd update --replace-managers off");
        return maker.Does(verb, UpdateAsync, autolock, replace);

        async Task<int> UpdateAsync(Invocation run)
        {
            const string What = "cannot change the cluster";
            UpdateClusterRequest request = new();
            if (run.Value(autolock) is { } wanted)
            {
                request.Autolock = wanted == "true";
            }

            if (run.Value(replace) is { } text && TryRead(text, out TimeSpan after))
            {
                request.ReplaceManagersSeconds = (long)after.TotalSeconds;
            }

            if (!request.HasAutolock && !request.HasReplaceManagersSeconds)
            {
                throw new FailureException(What, "nothing is to be changed", "Use --autolock or --replace-managers", ExitCode.Usage);
            }

            UpdateClusterResponse answer = await run.CallAsync(What, (agent, options) => agent.UpdateClusterAsync(request, options));
            Tell(run, request, answer);
            run.Output.Result(answer, LockVerbs.Shown(run, answer.UnlockKey));
            return ExitCode.Ok;
        }
    }

    private static void Tell(Invocation run, UpdateClusterRequest request, UpdateClusterResponse answer)
    {
        if (request.HasReplaceManagersSeconds)
        {
            run.Output.Talk(answer.ReplaceManagersSeconds == 0
                ? "Managers that are gone are not replaced."
                : $"A worker takes the place of a manager that is gone for {ElapsedText.For(TimeSpan.FromSeconds(answer.ReplaceManagersSeconds))}.");
        }

        if (answer.UnlockKey.Length > 0)
        {
            LockVerbs.TellKey(run, answer.UnlockKey);
        }
        else if (request.HasAutolock)
        {
            run.Output.Talk(answer.Autolock ? "It was locked already, and the key stays the same." : "Managers start without a key.");
        }
    }

    private static bool TryRead(string text, out TimeSpan after)
    {
        after = TimeSpan.Zero;
        return text == Off || (DurationText.TryParse(text, out after) && after >= Limits.ShortestReplacement && after <= Limits.LongestReplacement);
    }
}
