using Overlay.Linux.Native;

namespace Overlay.Linux.Namespaces;

/// <summary>Which namespace, whatever its path: device and inode of its nsfs file.</summary>
public readonly record struct NamespaceIdentity(ulong Device, ulong Inode);

/// <summary>An open network namespace. While it is open the namespace lives on, even without a name.</summary>
public sealed class NamespaceHandle : IDisposable
{
    private const ulong NsfsMagic = 0x6e73_6673;
    private const nuint GetNamespaceType = 0xb703;

    private NamespaceHandle(SafeFd descriptor, string path, NamespaceIdentity identity)
    {
        Descriptor = descriptor;
        Path = path;
        Identity = identity;
    }

    /// <summary>As it was opened.</summary>
    public string Path { get; }

    public NamespaceIdentity Identity { get; }

    internal SafeFd Descriptor { get; }

    /// <summary>Opens a namespace file and checks that it is one of a network namespace.</summary>
    /// <exception cref="KernelException">ENOENT: it does not exist; EINVAL: it is something else.</exception>
    public static NamespaceHandle Open(string path)
    {
        // Non-blocking, so that the path of a FIFO or a terminal cannot hold the agent up.
        SafeFd descriptor = Libc.Open(
            path, Libc.OpenReadOnly | Libc.OpenCloseOnExec | Libc.OpenNonBlocking | Libc.OpenNoTerminal, 0);
        if (descriptor.IsInvalid)
        {
            int errno = Errno.Last;
            throw errno is Errno.NoEntry or Errno.NoProcess or Errno.NotDirectory
                ? new KernelException($"network namespace {path} does not exist", Errno.NoEntry)
                : new KernelException($"cannot open network namespace {path}", errno);
        }

        try
        {
            return new(descriptor, path, Identify(descriptor, path));
        }
        catch (KernelException)
        {
            descriptor.Dispose();
            throw;
        }
    }

    /// <summary>The network namespace of the calling thread.</summary>
    public static NamespaceHandle OpenCurrent() => Open("/proc/thread-self/ns/net");

    /// <summary>The network namespace that a process is in.</summary>
    public static NamespaceHandle OpenProcess(int processId) => Open($"/proc/{processId}/ns/net");

    public void Dispose() => Descriptor.Dispose();

    private static NamespaceIdentity Identify(SafeFd descriptor, string path)
    {
        Span<ulong> buffer = stackalloc ulong[64];
        if (Libc.Fstatfs(descriptor, buffer) != 0 || buffer[0] != NsfsMagic
            || Libc.Ioctl(descriptor, GetNamespaceType, 0) != Libc.CloneNewNet)
        {
            throw new KernelException(
                $"{path} is not a network namespace; give a file such as /run/netns/NAME or /proc/PID/ns/net",
                Errno.Invalid);
        }

        return Libc.Fstat(descriptor, buffer) == 0
            ? new(buffer[0], buffer[1])
            : throw KernelException.FromLastError($"cannot stat {path}");
    }
}
