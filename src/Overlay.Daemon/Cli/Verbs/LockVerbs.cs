using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>unlock</c> and <c>unlock-key show|rotate</c>.</summary>
internal static class LockVerbs
{
    /// <summary>A manager that goes on with its start opens its store first.</summary>
    private static readonly TimeSpan UnlockTimeout = TimeSpan.FromMinutes(1);

    public static Verb MakeUnlock(VerbMaker maker)
    {
        Option<string?> file = Symbols.Text("--key-file", "FILE", "Read the unlock key from a file [default: ask, or standard input]");
        Verb verb = new(
            "unlock", "Let a manager of a locked cluster go on after its restart; the key is asked for",
            "overlayd unlock", "overlayd unlock --key-file /run/secrets/unlock-key");
        return maker.Does(verb, UnlockAsync, file);

        async Task<int> UnlockAsync(Invocation run)
        {
            const string What = "cannot unlock this manager";
            UnlockRequest request = new() { Key = SecretText.Read(run.Terminal, What, "unlock key", run.Value(file)) };
            UnlockResponse answer = await run.CallAsync(What, (agent, options) => agent.UnlockAsync(request, options), UnlockTimeout);
            run.Output.Result(answer, "");
            run.Output.Talk($"This manager of cluster {answer.ClusterId} is unlocked until it restarts.");
            return ExitCode.Ok;
        }
    }

    public static Verb MakeKey(VerbMaker maker) => VerbMaker.Noun("unlock-key", "The key of a locked cluster", Show(maker), Rotate(maker));

    /// <summary>Before the key itself, which goes to standard output.</summary>
    public static void TellKey(Invocation run, string key)
    {
        if (key.Length > 0)
        {
            run.Output.Talk("After a restart a manager waits for `overlayd unlock` and this key. Keep it in a safe place: without it, and with no");
            run.Output.Talk("other manager running, the cluster's state is lost.");
            run.Output.Talk("");
        }
    }

    private static Verb Show(VerbMaker maker)
    {
        Verb verb = new(
            "show", "Print the key that managers are unlocked with; root on a manager", "overlayd unlock-key show", "overlayd unlock-key show -q");
        return maker.Does(verb, ShowAsync);

        static async Task<int> ShowAsync(Invocation run)
        {
            UnlockKeyResponse answer = await run.CallAsync(
                "cannot show the unlock key", static (agent, options) => agent.ShowUnlockKeyAsync(new(), options));
            TellKey(run, answer.Key);
            run.Output.Result(answer, Shown(run, answer.Key));
            return ExitCode.Ok;
        }
    }

    private static Verb Rotate(VerbMaker maker)
    {
        Verb verb = new(
            "rotate", "Replace the key; a manager that is off meanwhile still needs the old one", "overlayd unlock-key rotate");
        return maker.Does(verb, RotateAsync);

        static async Task<int> RotateAsync(Invocation run)
        {
            UnlockKeyResponse answer = await run.CallAsync(
                "cannot replace the unlock key", static (agent, options) => agent.RotateUnlockKeyAsync(new(), options));
            run.Output.Talk("Managers take the new key over at once. Keep the old one until all of them have run: one that is off needs it.");
            TellKey(run, answer.Key);
            run.Output.Result(answer, Shown(run, answer.Key));
            return ExitCode.Ok;
        }
    }

    public static string Shown(Invocation run, string key) => run.Output.Options.Quiet || key.Length == 0 ? key : "    " + key;
}
