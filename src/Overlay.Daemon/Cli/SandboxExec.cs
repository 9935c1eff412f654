using System.Runtime.InteropServices;
using Overlay.Daemon.Errors;

namespace Overlay.Daemon.Cli;

/// <summary>
/// Runs a program inside a network namespace by becoming it: the network of the sandbox, a mount namespace of its own
/// in which the sandbox's files of /etc/netns/NAME lie over those of /etc (its resolv.conf, above all) and /sys shows
/// the sandbox's devices. What ip-netns(8) describes for its exec.
/// </summary>
internal static class SandboxExec
{
    private const string Namespaces = "/run/netns/";
    private const string Overrides = "/etc/netns/";

    /// <summary>Does not return if the program could be started.</summary>
    /// <returns>126 or 127, as a shell would.</returns>
    /// <exception cref="FailureException">The namespace could not be entered.</exception>
    public static int Replace(string sandbox, string[] words)
    {
        string what = $"cannot run {(words.Length > 0 ? words[0] : "a program")} in sandbox {sandbox}";
        if (words.Length == 0 || words[0].Length == 0)
        {
            throw new FailureException(
                what, "no program is named", "Use `overlayd sandbox exec NAME -- COMMAND`", ExitCode.Usage);
        }

        string path = PathOf(sandbox, what);
        Enter(path, sandbox, what);
        MakeMountsPrivate(what);
        ShowOwnDevices(sandbox, what);
        if (path.StartsWith(Namespaces, StringComparison.Ordinal))
        {
            LayOver(path[Namespaces.Length..], what);
        }

        ExecNative.Execute(words);
        int error = Marshal.GetLastPInvokeError();
        bool missing = error == ExecNative.NoEntry;
        throw new FailureException(
            what,
            missing ? "there is no such program" : Reason(error),
            "",
            missing ? ExitCode.CommandNotFound : ExitCode.CannotExecute);
    }

    /// <summary>A name is a file of /run/netns; anything with a slash is a path.</summary>
    internal static string PathOf(string sandbox, string what)
    {
        if (sandbox.StartsWith('/'))
        {
            return sandbox;
        }

        return sandbox.Length > 0 && sandbox is not ("." or "..") && !sandbox.Contains('/', StringComparison.Ordinal)
            ? Namespaces + sandbox
            : throw new FailureException(
                what, $"'{sandbox}' is neither a name nor an absolute path", "See `overlayd sandbox ls`",
                ExitCode.Usage);
    }

    private static void Enter(string path, string sandbox, string what)
    {
        int descriptor = ExecNative.Open(path, ExecNative.OpenReadOnly);
        if (descriptor < 0)
        {
            int error = Marshal.GetLastPInvokeError();
            throw error == ExecNative.NoEntry
                ? new FailureException(
                    what, $"there is no sandbox {sandbox} on this host",
                    "`overlayd sandbox ls` lists those there are", ExitCode.NotFound)
                : Failed(what, $"{path} cannot be opened", error);
        }

        if (ExecNative.EnterNamespace(descriptor, ExecNative.NewNetworkNamespace) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            throw error == ExecNative.Invalid
                ? new FailureException(
                    what, $"{path} is not a network namespace", "See `overlayd sandbox ls`", ExitCode.Failure)
                : Failed(what, $"{path} cannot be entered", error);
        }
    }

    private static void MakeMountsPrivate(string what)
    {
        if (ExecNative.Unshare(ExecNative.NewMountNamespace) != 0
            || ExecNative.Mount("none", "/", null, ExecNative.Slave | ExecNative.Recursive, 0) != 0)
        {
            throw Failed(what, "no mount namespace can be made", Marshal.GetLastPInvokeError());
        }
    }

    private static void ShowOwnDevices(string sandbox, string what)
    {
        // Fails where nothing is mounted there, which is as good.
        _ = ExecNative.Unmount("/sys", ExecNative.Detach);

        // A read-only instance that could not be unmounted may only be covered by another read-only one.
        if (ExecNative.Mount(sandbox, "/sys", "sysfs", 0, 0) != 0
            && ExecNative.Mount(sandbox, "/sys", "sysfs", ExecNative.ReadOnly, 0) != 0)
        {
            throw Failed(what, "/sys cannot be mounted", Marshal.GetLastPInvokeError());
        }
    }

    private static void LayOver(string name, string what)
    {
        string folder = Overrides + name;
        if (!Directory.Exists(folder))
        {
            return;
        }

        foreach (string source in Directory.EnumerateFileSystemEntries(folder).Order(StringComparer.Ordinal))
        {
            string target = Path.Join("/etc", Path.GetFileName(source));
            if (ExecNative.Mount(source, target, null, ExecNative.Bind, 0) != 0)
            {
                throw Failed(what, $"{source} cannot be laid over {target}", Marshal.GetLastPInvokeError());
            }
        }
    }

    private static FailureException Failed(string what, string why, int error) =>
        error is ExecNative.NoPermission or ExecNative.NoAccess
            ? new(what, $"{why} without root's rights", "Run the command with sudo", ExitCode.Failure)
            : new(what, $"{why} ({Reason(error)})", "", ExitCode.Failure);

    private static string Reason(int error) => Marshal.GetPInvokeErrorMessage(error);
}
