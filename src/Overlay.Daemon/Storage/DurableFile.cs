using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>Files that are there whole or not at all, also after a power failure; readable by their owner only.</summary>
internal static partial class DurableFile
{
    public const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    public const UnixFileMode PrivateFolder = Private | UnixFileMode.UserExecute;

    /// <summary>EWOULDBLOCK, as .NET reports a lock that another has.</summary>
    public const int WouldBlock = 11;
    private const int OpenClosedOnExec = 0x80000; // O_RDONLY | O_CLOEXEC
    private const int OpenDirectory = 0x10000 | 0x80000; // O_DIRECTORY | O_CLOEXEC

    /// <exception cref="StorageWriteException">Nothing of the old file is lost.</exception>
    public static void WriteAtomically(string path, ReadOnlySpan<byte> bytes)
    {
        string temporary = path + ".tmp";
        try
        {
            using (SafeFileHandle file = Create(temporary))
            {
                Write(file, 0, bytes);
                RandomAccess.FlushToDisk(file);
            }

            File.Move(temporary, path, overwrite: true);
            SyncFolder(Path.GetDirectoryName(path)!);
        }
        catch (Exception e) when (e is (IOException and not StorageWriteException) or UnauthorizedAccessException)
        {
            DeleteUnfinished(temporary);
            throw new StorageWriteException(path, e);
        }
    }

    public static SafeFileHandle Create(string path)
    {
        // Private from its first moment: a file that is opened before its mode is set can be read after.
        FileStreamOptions closed = new() { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = Private };
        new FileStream(path, closed).Dispose();
        SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read);
        // A file of that name that was there before keeps its mode.
        File.SetUnixFileMode(file, Private);
        return file;
    }

    public static void Write(SafeFileHandle file, long offset, ReadOnlySpan<byte> bytes)
    {
        try
        {
            RandomAccess.Write(file, bytes, offset);
        }
        catch (ArgumentOutOfRangeException e)
        {
            // So .NET words EFBIG: the process's or the file system's limit on the size of a file.
            throw new IOException("File too large", e);
        }
    }

    /// <summary>Makes names that were created, renamed or removed in the folder durable.</summary>
    public static void SyncFolder(string folder)
    {
        int descriptor = Open(folder, OpenDirectory);
        if (descriptor < 0)
        {
            throw Failed(folder);
        }

        try
        {
            if (FSync(descriptor) != 0)
            {
                throw Failed(folder);
            }
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>A second name for a file; where the file system has none, a copy.</summary>
    public static void Link(string from, string to)
    {
        File.Delete(to);
        if (LinkTo(from, to) != 0)
        {
            File.Copy(from, to, overwrite: true);
            using SafeFileHandle copy = File.OpenHandle(to, FileMode.Open, FileAccess.ReadWrite);
            RandomAccess.FlushToDisk(copy);
        }
    }

    /// <summary>Never throws: what cannot be read, or is longer than the limit, says so.</summary>
    public static FileContent Read(string path, long limit)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            long length = RandomAccess.GetLength(file);
            if (length > limit)
            {
                return new(default, string.Create(CultureInfo.InvariantCulture, $"it has {length} bytes, more than the {limit} it can have"));
            }

            byte[] bytes = new byte[length];
            int read = 0;
            while (read < bytes.Length && RandomAccess.Read(file, bytes.AsSpan(read), read) is > 0 and var more)
            {
                read += more;
            }

            return new(bytes.AsMemory(0, read));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The caller decides whether the file is needed.
            return new(default, StorageText.Reason(e));
        }
    }

    /// <summary>The first bytes of a file that another process has locked; empty where they cannot be read.</summary>
    public static byte[] ReadLocked(string path, int length)
    {
        // File.OpenHandle would ask for a lock of its own.
        using SafeFileHandle file = new(Open(path, OpenClosedOnExec), ownsHandle: true);
        byte[] bytes = new byte[length];
        try
        {
            return file.IsInvalid ? [] : bytes[..RandomAccess.Read(file, bytes, 0)];
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static void DeleteUnfinished(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The write's own failure is told; the next write of the same name replaces this rest.
        }
    }

    private static IOException Failed(string folder) =>
        new($"{folder} could not be synced: {Marshal.GetLastPInvokeErrorMessage()}");

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "link", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int LinkTo(string from, string to);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
