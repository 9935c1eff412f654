using System.CommandLine;
using System.Globalization;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>ca show|rotate</c>.</summary>
internal static class CaVerbs
{
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(250);

    public static Verb Make(VerbMaker maker) =>
        VerbMaker.Noun("ca", "The cluster's root certificate", Show(maker), Rotate(maker));

    private static Verb Show(VerbMaker maker)
    {
        Option<bool> pem = Symbols.Switch("--pem", "Print the certificate itself");
        Verb verb = new(
            "show", "Show the root certificate, and how far another is that takes its place", "overlayd ca show",
            "overlayd ca show --pem");
        return maker.Does(verb, ShowAsync, pem);

        async Task<int> ShowAsync(Invocation run)
        {
            CaView answer = await AskAsync(run);
            if (run.Value(pem))
            {
                run.Output.Result(answer, answer.Certificate.TrimEnd());
                return ExitCode.Ok;
            }

            run.Output.Result(answer, run.Output.Options.Quiet ? answer.Digest : string.Create(
                CultureInfo.InvariantCulture,
                $"SHA-256 {answer.Digest}, valid until {DateTimeOffset.FromUnixTimeMilliseconds(answer.ExpiresUnixMs):yyyy-MM-dd}"));
            if (answer.Rotation is { } rotation)
            {
                run.Output.Talk($"Another one, {rotation.Digest}, takes its place: {ProgressOf(rotation)}");
            }

            return ExitCode.Ok;
        }
    }

    private static Verb Rotate(VerbMaker maker)
    {
        Option<bool> detach = Symbols.Switch("--detach", "Do not wait until every node has a certificate of the new root");
        Option<string?> external = Symbols.Text("--external-ca", "URL", "Not offered: overlayd signs its own certificates");
        Verb verb = new(
            "rotate", "Replace the root certificate and every node's, one by one, without losing a session; on a manager",
            "overlayd ca rotate", "overlayd ca rotate --detach");
        return maker.Does(verb, RotateAsync, detach, external);

        async Task<int> RotateAsync(Invocation run)
        {
            if (run.Text(external).Length > 0)
            {
                throw new FailureException(new(
                    "cannot replace the root certificate", "External authorities are not supported: the managers sign certificates themselves.",
                    "Type `overlayd ca rotate` for a new root of the cluster's own.", ExitCode.Usage));
            }

            CaView answer = await run.CallAsync(
                "cannot replace the root certificate", static (agent, options) => agent.RotateCaAsync(new(), options));
            string wanted = answer.Rotation?.Digest ?? answer.Digest;
            if (run.Value(detach))
            {
                run.Output.Talk("The new root is on its way; `overlayd ca show` tells how far it is.");
                run.Output.Result(answer, wanted);
                return ExitCode.Ok;
            }

            string told = "";
            while (answer.Rotation is { } rotation && rotation.Digest == wanted)
            {
                string progress = ProgressOf(rotation);
                if (progress != told)
                {
                    run.Output.Talk(progress);
                    told = progress;
                }

                await Task.Delay(Pace, run.Terminal.Time, run.Stop);
                answer = await AskAsync(run);
            }

            if (answer.Digest != wanted)
            {
                throw new FailureException(new(
                    "the root certificate was not replaced", "Another root took its place meanwhile.", "Look at `overlayd ca show`.",
                    ExitCode.Failure));
            }

            run.Output.Talk("The new root is in force. Join tokens are others now: `overlayd token show worker`.");
            run.Output.Result(answer, wanted);
            return ExitCode.Ok;
        }
    }

    private static Task<CaView> AskAsync(Invocation run) =>
        run.CallAsync("cannot show the root certificate", static (agent, options) => agent.ShowCaAsync(new(), options));

    private static string ProgressOf(CaRotationView rotation) =>
        $"{rotation.Done} of {rotation.Nodes} nodes have a certificate of it"
        + (rotation.WaitingFor.Count == 0 ? "." : $"; waiting for {string.Join(", ", rotation.WaitingFor)}.");
}
