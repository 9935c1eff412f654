using System.CommandLine;
using Overlay.Cluster;
using Overlay.Cluster.Trust;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Storage;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>store verify|dump|repair</c>: a manager's log while no agent has it open.</summary>
internal static class StoreVerbs
{
    private const string LogFolder = "log";

    public static Verb Make(VerbMaker maker) =>
        VerbMaker.Noun("store", "A stopped manager's log on this host's disk", Verify(maker), Dump(maker), Repair(maker));

    private static Verb Verify(VerbMaker maker)
    {
        NameArgument folder = Folder();
        Verb verb = new(
            "verify", "Check every file of the log; nothing is changed",
            "overlayd store verify", "overlayd store verify /backup/log --format json");
        return maker.Does(verb, run => Task.FromResult(VerifyFolder(run, run.Value(folder))), folder);
    }

    private static Verb Dump(VerbMaker maker)
    {
        NameArgument folder = Folder();
        Option<string?> key = KeyFile();
        Verb verb = new(
            "dump", "List the entries behind the newest snapshot", "overlayd store dump", "overlayd store dump --format json");
        return maker.Does(verb, run => Task.FromResult(DumpFolder(run, run.Value(folder), KeyOf(run, key))), folder, key);
    }

    private static Verb Repair(VerbMaker maker)
    {
        NameArgument folder = Folder();
        Option<string?> key = KeyFile();
        Verb verb = new(
            "repair", "Do what is safe alone: cut off a write that did not finish, go back to an older snapshot, mend headers",
            "overlayd store repair");
        return maker.Does(verb, run => Task.FromResult(RepairFolder(run, run.Value(folder), KeyOf(run, key))), folder, key);
    }

    private static Option<string?> KeyFile() => Symbols.Text("--key-file", "FILE", "The unlock key, for the log of a locked manager");

    private static byte[] KeyOf(Invocation run, Option<string?> option)
    {
        const string What = "cannot open the log";
        if (run.Value(option) is not { } file)
        {
            return [];
        }

        Outcome<UnlockKey> key = UnlockKey.Parse(SecretText.Read(run.Terminal, What, "unlock key", file));
        return key.Refusal is { } refusal ? throw new FailureException(What, refusal.Why, refusal.Next, ExitCode.Usage) : key.Value.Secret.ToArray();
    }

    private static NameArgument Folder() => new("folder", NameKind.None)
    {
        Description = "The log, or the state folder that it is in",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = static _ => Path.Combine(SettingCatalog.StateFolder.DefaultTexts[0], LogFolder),
    };

    private static int VerifyFolder(Invocation run, string path)
    {
        const string What = "cannot verify the log";
        using DiskFolder folder = Open(What, path);
        LogRecovery found = Read(folder, []);
        run.Output.Rows(LogReport.FileKeys, LogReport.Files(folder));
        foreach (string note in found.Notes)
        {
            run.Output.Talk(note);
        }

        string? states = StateFiles.Read(folder).IsLost ? $"neither of {string.Join(" and ", StateFiles.FileNames)} validates" : null;
        return found.Fault is null && states is null
            ? ExitCode.Ok
            : throw Damaged($"the log {folder.Path} is damaged", folder, found, states);
    }

    private static int DumpFolder(Invocation run, string path, byte[] key)
    {
        const string What = "cannot dump the log";
        using DiskFolder folder = Open(What, path);
        RequireKey(What, folder, key);
        LogRecovery found = Read(folder, key);
        run.Output.Rows(LogReport.EntryKeys, LogReport.Entries(found));
        return found.Fault is null ? ExitCode.Ok : throw Damaged($"the log {folder.Path} is damaged", folder, found, null);
    }

    private static int RepairFolder(Invocation run, string path, byte[] key)
    {
        const string What = "cannot repair the log";
        LogIdentity? identity;
        LogKeys? keys;
        string folderPath;
        using (DiskFolder folder = Open(What, path))
        {
            folderPath = folder.Path;
            RequireKey(What, folder, key);
            StateRecovery state = StateFiles.Read(folder);
            LogRecovery found = Read(folder, key);
            if (found.Fault is not null || state.IsLost)
            {
                throw Damaged(
                    $"nothing in {folder.Path} was changed", folder, found,
                    state.IsLost ? $"neither of {string.Join(" and ", StateFiles.FileNames)} validates" : null);
            }

            identity = state.State?.Identity;
            keys = Keys(folder, key);
            if (keys is null && state.State is { IsClosed: true })
            {
                throw new FailureException(
                    What, "it is encrypted, and its data keys are not here",
                    $"Put a backup of {folder.Path} in its place, or begin as a new manager: `overlayd leave --force`, then `overlayd join`",
                    ExitCode.Failure);
            }
        }

        try
        {
            using LogStore log = LogStore.OpenAs(new DiskFolder(folderPath), new() { Identity = identity, Keys = keys }, out LogRecovery mended);
            foreach (string note in mended.Notes)
            {
                run.Output.Line(note);
            }

            run.Output.Talk($"The log is whole: {LogReport.Range(1, mended.LastIndex)}.");
            return ExitCode.Ok;
        }
        catch (Exception e) when (e is StorageWriteException or StorageCorruptException or MemberLostException)
        {
            throw new FailureException(new(What, e.Message, "", ExitCode.Failure), e);
        }
    }

    private static DiskFolder Open(string what, string path)
    {
        string full = Path.GetFullPath(path);
        string inside = Path.Combine(full, LogFolder);
        string folder = Directory.Exists(inside) ? inside : full;
        if (!Directory.Exists(folder))
        {
            throw new FailureException(
                what, $"there is no folder {folder}", "Name the log of a manager: `overlayd store verify /var/lib/overlayd/log`", ExitCode.NotFound);
        }

        try
        {
            return new(folder);
        }
        catch (StorageLockedException e)
        {
            throw new FailureException(
                new(what, $"an agent has {folder} open", "Stop it first: `systemctl stop overlayd`", ExitCode.Conflict), e);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new FailureException(new(what, $"{folder} cannot be opened", "Type it as root", ExitCode.Failure), e);
        }
    }

    /// <summary>Opens what is encrypted if the key is at hand; without, checksums tell what is damaged all the same.</summary>
    private static LogRecovery Read(DiskFolder folder, byte[] key)
    {
        IReadOnlyList<string> names = folder.Names();
        return Keys(folder, key) is { } keys ? LogRecovery.From(names, ReadFile, keys) : LogRecovery.AsWritten(names, ReadFile);

        FileContent ReadFile(string name) =>
            folder.Read(name, LogNames.TryReadSnapshot(name, out _) ? SnapshotFormat.MaxFileBytes : SegmentFormat.MaxFileBytes);
    }

    private static LogKeys? Keys(DiskFolder folder, byte[] key)
    {
        LogKeys? keys = null;
        if (StateFiles.Read(folder).State is { } state)
        {
            _ = DataKeyFile.Read(folder, state.Identity, key, out keys);
        }

        return keys;
    }

    private static void RequireKey(string what, DiskFolder folder, byte[] key)
    {
        if (StateFiles.Read(folder).State is { } state
            && DataKeyFile.Read(folder, state.Identity, key, out _) == KeyFileVerdict.Locked)
        {
            throw new FailureException(
                what, key.Length == 0 ? $"{folder.Path} is locked" : $"{folder.Path} is locked with another key",
                "Name a file that holds the cluster's unlock key with --key-file", ExitCode.Failure);
        }
    }

    private static FailureException Damaged(string what, DiskFolder folder, LogRecovery found, string? states)
    {
        string where = found.Fault is { File.Length: > 0 } fault ? $"{fault.File}: " : "";
        string why = states ?? $"{where}{found.Fault!.Reason}";
        string next = states is not null || found.IsLost
            ? $"Put a backup of {folder.Path} in its place, or begin as a new manager: `overlayd leave --force`, then `overlayd join`"
            : $"{LogReport.Loss(found)} Start the agent, which asks the other managers for them, or put a backup of {folder.Path} in its place";
        return new(what, why, next, ExitCode.Failure);
    }
}
