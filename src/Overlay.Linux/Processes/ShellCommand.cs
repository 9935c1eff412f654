using System.Runtime.InteropServices;
using System.Text;
using Overlay.Linux.Native;

namespace Overlay.Linux.Processes;

/// <summary>
/// A command that /bin/sh runs in a session of its own, in the namespace of the thread that starts it. What it starts ends with it,
/// whether it ends by itself or is disposed. Not for two threads at once.
/// </summary>
public sealed class ShellCommand : IDisposable
{
    /// <summary>Of what it says; more is read and forgotten, so that it never waits for a reader.</summary>
    public const int MostOutputBytes = 4096;

    private const int MostReads = 64;

    /// <summary>Killed, and not yet ended when last looked at.</summary>
    private static readonly List<int> Dying = [];
    private static readonly Lock Gate = new();

    private readonly int pid;
    private readonly SafeFd output;
    private readonly MemoryStream said = new();
    private bool reaped;

    private ShellCommand(int pid, SafeFd output)
    {
        this.pid = pid;
        this.output = output;
    }

    /// <summary>Stdout and stderr, as far as they are kept.</summary>
    public string Output => Encoding.UTF8.GetString(said.GetBuffer(), 0, (int)said.Length);

    /// <param name="environment">NAME=VALUE; it gets no other.</param>
    /// <exception cref="KernelException">It cannot be started.</exception>
    public static ShellCommand Start(string command, params ReadOnlySpan<string> environment)
    {
        Bury();
        Span<int> ends = stackalloc int[2];
        if (Spawn.Pipe(ends, Libc.OpenCloseOnExec) != 0)
        {
            throw KernelException.FromLastError("cannot make a pipe");
        }

        SafeFd reading = new(ends[0]);
        using SafeFd writing = new(ends[1]);
        try
        {
            // This end alone: the command's writes wait as they would elsewhere.
            return Spawn.Control(reading, Spawn.SetStatusFlags, Libc.OpenNonBlocking) == 0
                ? new(StartShell(command, environment, writing), reading)
                : throw KernelException.FromLastError("cannot prepare a pipe");
        }
        catch
        {
            reading.Dispose();
            throw;
        }
    }

    /// <summary>Reads what it has said; if it has ended, so has all that it started.</summary>
    /// <returns>Its exit code, 128 and the signal that ended it, or null: it goes on.</returns>
    public int? TryEnd()
    {
        Read();
        Span<int> info = stackalloc int[Spawn.InfoInts];
        info.Clear();
        if (reaped || Spawn.Wait(Spawn.IdIsPid, pid, info, Spawn.Exited | Spawn.NoHang | Spawn.KeepWaitable) != 0)
        {
            // Somebody else has waited for it: that it has ended is all there is to know.
            reaped = true;
            return -1;
        }

        if (info[Spawn.PidAt] != pid)
        {
            return null;
        }

        Reap();
        Read();
        return info[Spawn.CodeAt] == Spawn.CodeExited ? info[Spawn.StatusAt] : 128 + info[Spawn.StatusAt];
    }

    /// <summary>Ends it and what it started.</summary>
    public void Dispose()
    {
        if (!reaped)
        {
            Reap();
        }

        output.Dispose();
        said.Dispose();
    }

    /// <summary>While it is not waited for, no other process group can have its number. Its end is not waited for here.</summary>
    private void Reap()
    {
        reaped = true;
        _ = Spawn.Signal(-pid, Spawn.SignalKill);
        if (!IsBuried(pid))
        {
            lock (Gate)
            {
                Dying.Add(pid);
            }
        }
    }

    private static void Bury()
    {
        lock (Gate)
        {
            Dying.RemoveAll(IsBuried);
        }
    }

    private static bool IsBuried(int pid)
    {
        Span<int> info = stackalloc int[Spawn.InfoInts];
        info.Clear();
        return Spawn.Wait(Spawn.IdIsPid, pid, info, Spawn.Exited | Spawn.NoHang) != 0 ? Errno.Last != Errno.Interrupted : info[Spawn.PidAt] == pid;
    }

    private void Read()
    {
        Span<byte> buffer = stackalloc byte[4096];
        for (int i = 0; i < MostReads && Libc.Read(output, buffer, (nuint)buffer.Length) is > 0 and var count; i++)
        {
            said.Write(buffer[..(int)Math.Min(count, MostOutputBytes - said.Length)]);
        }
    }

    private static unsafe int StartShell(string command, ReadOnlySpan<string> environment, SafeFd writing)
    {
        byte* memory = (byte*)NativeMemory.AllocZeroed(4 * Spawn.StructBytes);
        nint actions = (nint)memory;
        nint attributes = actions + Spawn.StructBytes;
        nint all = attributes + Spawn.StructBytes;
        nint none = all + Spawn.StructBytes;
        nint arguments = Strings("sh", "-c", command);
        nint variables = Strings(environment);
        try
        {
            // The runtime ignores SIGPIPE and blocks what it likes; none of that is to be inherited.
            _ = Spawn.InitActions(actions);
            _ = Spawn.InitAttributes(attributes);
            _ = Spawn.FillSignals(all);
            _ = Spawn.SetDefaults(attributes, all);
            _ = Spawn.SetMask(attributes, none);
            _ = Spawn.SetFlags(attributes, Spawn.SetSession | Spawn.SetSignalDefaults | Spawn.SetSignalMask);
            _ = Spawn.AddOpen(actions, 0, "/dev/null", Libc.OpenReadOnly, 0);
            _ = Spawn.AddDuplicate(actions, writing.Number, 1);
            _ = Spawn.AddDuplicate(actions, writing.Number, 2);
            _ = Spawn.AddCloseFrom(actions, 3);
            _ = Spawn.AddChangeFolder(actions, "/");
            int error = Spawn.Start(out int pid, "/bin/sh", actions, attributes, arguments, variables);
            return error == 0 ? pid : throw new KernelException("cannot start /bin/sh", error);
        }
        finally
        {
            _ = Spawn.DestroyActions(actions);
            _ = Spawn.DestroyAttributes(attributes);
            Free(arguments);
            Free(variables);
            NativeMemory.Free(memory);
        }
    }

    /// <summary>An array of C strings that ends with null.</summary>
    private static unsafe nint Strings(params ReadOnlySpan<string> texts)
    {
        nint* array = (nint*)NativeMemory.AllocZeroed((nuint)texts.Length + 1, (nuint)sizeof(nint));
        for (int i = 0; i < texts.Length; i++)
        {
            array[i] = Marshal.StringToCoTaskMemUTF8(texts[i]);
        }

        return (nint)array;
    }

    private static unsafe void Free(nint strings)
    {
        for (nint* each = (nint*)strings; *each != 0; each++)
        {
            Marshal.FreeCoTaskMem(*each);
        }

        NativeMemory.Free((void*)strings);
    }
}
