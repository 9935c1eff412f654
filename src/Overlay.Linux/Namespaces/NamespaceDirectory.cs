using Overlay.Dataplane;
using Overlay.Linux.Native;

namespace Overlay.Linux.Namespaces;

/// <summary>
/// Where namespaces have names: files of one folder, each a bind mount of an nsfs file, as ip-netns(8) makes and
/// finds them.
/// </summary>
/// <param name="root">/run/netns, or another folder for tests.</param>
/// <param name="hostPath">The namespace that <see cref="NamespaceName.Host"/> means.</param>
public sealed class NamespaceDirectory(
    string root = NamespaceDirectory.DefaultRoot, string hostPath = "/proc/self/ns/net")
{
    public const string DefaultRoot = "/run/netns";

    private const int MaxNameLength = 200;

    public string Root { get; } = root;

    /// <summary>The file to open for a name.</summary>
    /// <exception cref="KernelException">EINVAL: the name could leave the folder.</exception>
    public string PathOf(NamespaceName name)
    {
        if (name.IsHost)
        {
            return hostPath;
        }

        if (name.Value.StartsWith('/'))
        {
            return name.Value;
        }

        return IsValidName(name.Value)
            ? $"{Root}/{name.Value}"
            : throw new KernelException($"'{name.Value}' is not a name of a network namespace", Errno.Invalid);
    }

    /// <exception cref="KernelException">It does not exist, or is no network namespace.</exception>
    public NamespaceHandle Open(NamespaceName name) => NamespaceHandle.Open(PathOf(name));

    /// <summary>Null where there is no such namespace (no file, or an ordinary file without a mount).</summary>
    public NamespaceHandle? TryOpen(NamespaceName name)
    {
        try
        {
            return Open(name);
        }
        catch (KernelException e) when (e.Errno is Errno.NoEntry or Errno.Invalid)
        {
            return null;
        }
    }

    /// <summary>The names in the folder, sorted; some may be left-over files that are no namespace.</summary>
    public IReadOnlyList<NamespaceName> List()
    {
        if (!Directory.Exists(Root))
        {
            return [];
        }

        List<NamespaceName> names = [];
        foreach (string path in Directory.EnumerateFiles(Root))
        {
            string name = Path.GetFileName(path);
            if (IsValidName(name))
            {
                names.Add(new(name));
            }
        }

        names.Sort();
        return names;
    }

    /// <summary>
    /// Makes a new namespace under a name and leaves the calling thread inside it: only for threads that always
    /// enter before they act.
    /// </summary>
    /// <exception cref="KernelException">The kernel refuses.</exception>
    internal void CreateHere(NamespaceName name)
    {
        string path = PathOf(name);
        Prepare();
        using (SafeFd file = Libc.Open(path, Libc.OpenReadOnly | Libc.OpenCreate | Libc.OpenCloseOnExec, 0))
        {
            if (file.IsInvalid)
            {
                throw KernelException.FromLastError($"cannot make {path}");
            }
        }

        if (Libc.Unshare(Libc.CloneNewNet) != 0)
        {
            int errno = Errno.Last;
            Libc.Unlink(path);
            throw new KernelException($"cannot make network namespace {name}", errno);
        }

        if (Libc.Mount("/proc/thread-self/ns/net", path, "none", Libc.MountBind, null) != 0)
        {
            int errno = Errno.Last;
            Libc.Unlink(path);
            throw new KernelException($"cannot mount network namespace {name} at {path}", errno);
        }
    }

    /// <summary>Takes the name away; the namespace ends when nothing holds it any more.</summary>
    /// <returns>0 or an errno; a name that is not there is success.</returns>
    internal int Delete(NamespaceName name)
    {
        string path = PathOf(name);
        // Mounts can lie on top of each other where two programs made the name at once.
        for (int i = 0; i < 16 && Libc.Unmount(path, Libc.UmountDetach) == 0; i++)
        {
        }

        if (Libc.Unlink(path) != 0 && Errno.Last != Errno.NoEntry)
        {
            return Errno.Last;
        }

        return 0;
    }

    private static bool IsValidName(string name) =>
        name.Length is > 0 and <= MaxNameLength && name is not ("." or "..")
        && !name.Contains('/', StringComparison.Ordinal) && !name.Contains('\0', StringComparison.Ordinal);

    /// <summary>
    /// The folder is a shared mount, so that names made in one mount namespace are seen, and can be taken away, in
    /// the others (ip-netns(8) does the same).
    /// </summary>
    private void Prepare()
    {
        try
        {
            Directory.CreateDirectory(Root);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new KernelException($"cannot make the folder {Root}", Errno.Access, e.Message);
        }

        if (Libc.Mount("", Root, "none", Libc.MountShared | Libc.MountRecursive, null) == 0)
        {
            return;
        }

        if (Errno.Last != Errno.Invalid
            || Libc.Mount(Root, Root, "none", Libc.MountBind | Libc.MountRecursive, null) != 0
            || Libc.Mount("", Root, "none", Libc.MountShared | Libc.MountRecursive, null) != 0)
        {
            throw KernelException.FromLastError($"cannot make {Root} a shared mount");
        }
    }
}
