using System.Runtime.InteropServices;

namespace Overlay.Linux.Native;

/// <summary>Starting a program and hearing of its end: posix_spawn(3), waitid(2), kill(2).</summary>
internal static partial class Spawn
{
    /// <summary>Flags of spawn.h.</summary>
    public const short SetSignalDefaults = 0x04;
    public const short SetSignalMask = 0x08;
    public const short SetSession = 0x80;

    /// <summary>More than glibc's posix_spawnattr_t (336), posix_spawn_file_actions_t (80) and sigset_t (128).</summary>
    public const int StructBytes = 512;

    /// <summary>P_PID, and options of waitid(2).</summary>
    public const int IdIsPid = 1;
    public const int NoHang = 1;
    public const int Exited = 4;
    public const int KeepWaitable = 0x0100_0000;

    /// <summary>In siginfo_t as ints: si_code, si_pid, si_status; and CLD_EXITED of asm-generic/siginfo.h.</summary>
    public const int InfoInts = 32;
    public const int CodeAt = 2;
    public const int PidAt = 4;
    public const int StatusAt = 6;
    public const int CodeExited = 1;

    public const int SignalKill = 9;

    /// <summary>F_SETFL of asm-generic/fcntl.h.</summary>
    public const int SetStatusFlags = 4;

    private const string Library = "libc";

    [LibraryImport(Library, EntryPoint = "posix_spawn", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Start(out int pid, string path, nint fileActions, nint attributes, nint arguments, nint environment);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_init")]
    public static partial int InitAttributes(nint attributes);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setflags")]
    public static partial int SetFlags(nint attributes, short flags);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigdefault")]
    public static partial int SetDefaults(nint attributes, nint signals);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_setsigmask")]
    public static partial int SetMask(nint attributes, nint signals);

    [LibraryImport(Library, EntryPoint = "posix_spawnattr_destroy")]
    public static partial int DestroyAttributes(nint attributes);

    [LibraryImport(Library, EntryPoint = "sigfillset")]
    public static partial int FillSignals(nint signals);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_init")]
    public static partial int InitActions(nint actions);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addopen", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int AddOpen(nint actions, int descriptor, string path, int flags, uint mode);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_adddup2")]
    public static partial int AddDuplicate(nint actions, int from, int to);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addchdir_np", StringMarshalling = StringMarshalling.Utf8)]
    public static partial int AddChangeFolder(nint actions, string path);

    /// <summary>Of glibc 2.34.</summary>
    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_addclosefrom_np")]
    public static partial int AddCloseFrom(nint actions, int first);

    [LibraryImport(Library, EntryPoint = "posix_spawn_file_actions_destroy")]
    public static partial int DestroyActions(nint actions);

    [LibraryImport(Library, EntryPoint = "waitid", SetLastError = true)]
    public static partial int Wait(int kind, int id, Span<int> info, int options);

    [LibraryImport(Library, EntryPoint = "kill", SetLastError = true)]
    public static partial int Signal(int pid, int signal);

    [LibraryImport(Library, EntryPoint = "pipe2", SetLastError = true)]
    public static partial int Pipe(Span<int> ends, int flags);

    [LibraryImport(Library, EntryPoint = "fcntl", SetLastError = true)]
    public static partial int Control(SafeFd descriptor, int command, int argument);
}
