using System.CommandLine;
using System.Globalization;
using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Storage;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>backup</c> and <c>restore</c>.</summary>
internal static class BackupVerbs
{
    private static readonly TimeSpan LongTimeout = TimeSpan.FromMinutes(2);

    public static Verb MakeBackup(VerbMaker maker)
    {
        NameArgument file = Symbols.One("file", NameKind.None, "Where to; it must not be there yet");
        Option<bool> force = Symbols.Switch("--force", "Replace a file that is there", "-f");
        Verb verb = new(
            "backup", "Write the cluster's whole state to a file, with all its secrets; root on any manager",
            "overlayd backup /root/overlayd.backup", "overlayd backup --force /backup/overlayd.backup");
        return maker.Does(verb, BackupAsync, file, force);

        async Task<int> BackupAsync(Invocation run)
        {
            const string What = "cannot back the cluster up";
            string path = run.Value(file);
            RequirePlace(What, path, run.Value(force));
            BackupResponse answer = await run.CallAsync(What, static (agent, options) => agent.BackupAsync(new(), options), LongTimeout);
            BackupHeader about = Require(What, BackupFile.About(answer.File.Span));
            try
            {
                DurableFile.WriteAtomically(Path.GetFullPath(path), answer.File.Span);
            }
            catch (StorageWriteException error)
            {
                throw new FailureException(new(What, $"{path} could not be written ({error.Reason})", "Name another file", ExitCode.Failure), error);
            }

            run.Output.Talk(string.Create(
                CultureInfo.InvariantCulture, $"Cluster {about.ClusterId} at version {about.Version}, {answer.File.Length} bytes."));
            run.Output.Talk(about.Locked
                ? "It is encrypted with the cluster's unlock key, which `overlayd restore` will ask for: keep that key too."
                : "It holds the root's key, the join tokens and the gossip keys in the clear: keep it where only you can read it.");
            run.Output.Result(about, path);
            return ExitCode.Ok;
        }
    }

    public static Verb MakeRestore(VerbMaker maker)
    {
        NameArgument file = Symbols.One("file", NameKind.None, "What `overlayd backup` wrote");
        Option<string?> key = Symbols.Text(
            "--key-file", "FILE", "The unlock key, for the backup of a locked cluster [default: ask, or standard input]");
        Option<bool> check = Symbols.Switch("--check", "Only tell whether it could be restored, and what is in it");
        (Option<string?> advertise, Option<string?> listen, Option<string?> dataPath) = ClusterVerbs.Addresses();
        Verb verb = new(
            "restore", "Go on with the cluster of a backup, with this node as its only manager",
            "overlayd restore /root/overlayd.backup", "overlayd restore --check /root/overlayd.backup");
        return maker.Does(verb, RestoreAsync, file, key, check, advertise, listen, dataPath);

        async Task<int> RestoreAsync(Invocation run)
        {
            const string What = "cannot restore the cluster";
            byte[] bytes = ReadFile(What, run.Value(file));
            BackupHeader about = Require(What, BackupFile.About(bytes));
            if (run.Value(check))
            {
                run.Output.Result(about, Summary(about));
                return ExitCode.Ok;
            }

            RestoreRequest request = new()
            {
                File = UnsafeByteOperations.UnsafeWrap(bytes),
                UnlockKey = about.Locked ? SecretText.Read(run.Terminal, What, "unlock key", run.Value(key)) : "",
                AdvertiseAddress = run.Text(advertise),
                ListenAddress = run.Text(listen),
                DataPathAddress = run.Text(dataPath),
            };
            InitResponse made = await run.CallAsync(What, (agent, options) => agent.RestoreAsync(request, options), LongTimeout);
            run.Output.Talk($"Cluster {made.ClusterId} goes on with this node ({made.NodeId}) as its only manager, {Summary(about)}.");
            ClusterVerbs.TellSuperseded(run, made);
            run.Output.Result(made, run.Output.Options.Quiet ? made.WorkerToken : "    " + made.JoinCommand);
            return ExitCode.Ok;
        }
    }

    private static string Summary(BackupHeader about) => string.Create(
        CultureInfo.InvariantCulture,
        $"as of {DateTimeOffset.FromUnixTimeMilliseconds(about.CreatedUnixMs):yyyy-MM-dd HH:mm:ss}Z, version {about.Version}, "
        + $"from {about.Hostname}{(about.Locked ? ", locked" : "")}");

    private static void RequirePlace(string what, string path, bool force)
    {
        if (Directory.Exists(path))
        {
            throw new FailureException(what, $"{path} is a folder", "Name a file in it", ExitCode.Usage);
        }

        if (File.Exists(path) && !force)
        {
            throw new FailureException(what, $"{path} is there already", "Name another file, or replace it with --force", ExitCode.Conflict);
        }

        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
        {
            throw new FailureException(what, $"there is no folder {folder}", "Make it, or name another file", ExitCode.NotFound);
        }
    }

    private static byte[] ReadFile(string what, string path)
    {
        if (!File.Exists(path))
        {
            throw new FailureException(what, $"there is no file {path}", "Name a file that `overlayd backup` made", ExitCode.NotFound);
        }

        try
        {
            return new FileInfo(path).Length <= BackupFile.MostBytes
                ? File.ReadAllBytes(path)
                : throw new FailureException(what, $"{path} is too long for a backup", "Name a file that `overlayd backup` made", ExitCode.Usage);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new FailureException(new(what, $"{path} cannot be read ({error.Message.TrimEnd('.')})", "Type it as root", ExitCode.Failure), error);
        }
    }

    private static T Require<T>(string what, Outcome<T> outcome)
        where T : notnull =>
        outcome.TryGet(out T? value, out Refusal? refusal)
            ? value
            : throw new FailureException(what, refusal.Why, refusal.Next, ExitCode.Usage);
}
