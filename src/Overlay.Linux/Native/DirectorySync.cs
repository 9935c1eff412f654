namespace Overlay.Linux.Native;

/// <summary>Makes names durable: a created or renamed file outlives a power cut once its folder was flushed.</summary>
public static class DirectorySync
{
    /// <exception cref="KernelException">The folder cannot be opened or flushed.</exception>
    public static void Flush(string folder)
    {
        using SafeFd descriptor = Libc.Open(folder, Libc.OpenReadOnly | Libc.OpenCloseOnExec, 0);
        if (descriptor.IsInvalid)
        {
            throw KernelException.FromLastError($"cannot open {folder}");
        }

        if (Libc.Fsync(descriptor) != 0)
        {
            throw KernelException.FromLastError($"cannot flush {folder} to disk");
        }
    }
}
