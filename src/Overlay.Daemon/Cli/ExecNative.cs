using System.Runtime.InteropServices;

namespace Overlay.Daemon.Cli;

/// <summary>The system calls by which <see cref="SandboxExec"/> becomes another program in another namespace.</summary>
internal static unsafe partial class ExecNative
{
    /// <summary>CLONE_NEWNS and CLONE_NEWNET of linux/sched.h.</summary>
    public const int NewMountNamespace = 0x0002_0000;
    public const int NewNetworkNamespace = 0x4000_0000;

    /// <summary>Flags of linux/mount.h, and MNT_DETACH of umount(2).</summary>
    public const nuint ReadOnly = 1;
    public const nuint Bind = 4096;
    public const nuint Recursive = 16_384;
    public const nuint Slave = 1 << 19;
    public const int Detach = 2;

    /// <summary>O_RDONLY | O_CLOEXEC of asm-generic/fcntl.h.</summary>
    public const int OpenReadOnly = 0x8_0000;

    public const int NoPermission = 1;
    public const int NoEntry = 2;
    public const int NoAccess = 13;
    public const int Invalid = 22;

    private const int BrokenPipe = 13;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    public static partial int EnterNamespace(int descriptor, int kind);

    [LibraryImport("libc", EntryPoint = "unshare", SetLastError = true)]
    public static partial int Unshare(int kinds);

    [LibraryImport("libc", EntryPoint = "mount", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Mount(string source, string target, string? type, nuint flags, nint data);

    [LibraryImport("libc", EntryPoint = "umount2", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Unmount(string target, int flags);

    /// <summary>Replaces this process; returns only on failure, with errno set.</summary>
    public static void Execute(IReadOnlyList<string> words)
    {
        // The runtime ignores SIGPIPE, and what is ignored stays so across execve(2): the program would never learn
        // that its reader has gone.
        _ = SetSignalHandler(BrokenPipe, 0);
        byte** arguments = (byte**)NativeMemory.AllocZeroed((nuint)words.Count + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < words.Count; i++)
        {
            arguments[i] = (byte*)Marshal.StringToCoTaskMemUTF8(words[i]);
        }

        _ = ExecuteFromPath(arguments[0], arguments);
        int error = Marshal.GetLastPInvokeError();
        for (int i = 0; i < words.Count; i++)
        {
            Marshal.FreeCoTaskMem((nint)arguments[i]);
        }

        NativeMemory.Free(arguments);
        Marshal.SetLastPInvokeError(error);
    }

    [LibraryImport("libc", EntryPoint = "execvp", SetLastError = true)]
    private static partial int ExecuteFromPath(byte* file, byte** arguments);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetSignalHandler(int signal, nint handler);
}
