using Microsoft.Win32.SafeHandles;
using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>A folder of the file system, locked against other agents as long as it is open.</summary>
internal sealed class DiskFolder : ILogFolder
{
    private readonly FolderLock held;

    /// <exception cref="StorageLockedException">Another agent has it open.</exception>
    public DiskFolder(string path)
    {
        Path = path;
        if (!Directory.Exists(path))
        {
            Directory.CreateDirectory(path, DurableFile.PrivateFolder);
            DurableFile.SyncFolder(System.IO.Path.GetDirectoryName(System.IO.Path.GetFullPath(path))!);
        }

        held = FolderLock.Take(path, "--state-dir");
    }

    public string Path { get; }

    public long FreeBytes => new DriveInfo(Path).AvailableFreeSpace;

    public IReadOnlyList<string> Names() => [.. Directory.EnumerateFiles(Path).Select(static file => System.IO.Path.GetFileName(file))];

    public FileContent Read(string name, long limit) => DurableFile.Read(Of(name), limit);

    public ILogFile Create(string name) => new DiskFile(DurableFile.Create(Of(name)));

    public ILogFile Open(string name) =>
        new DiskFile(File.OpenHandle(Of(name), FileMode.Open, FileAccess.ReadWrite, FileShare.Read));

    public void Rename(string from, string to) => File.Move(Of(from), Of(to), overwrite: true);

    public void Link(string from, string to) => DurableFile.Link(Of(from), Of(to));

    public void Delete(string name) => File.Delete(Of(name));

    public void Sync() => DurableFile.SyncFolder(Path);

    public void Dispose() => held.Dispose();

    private string Of(string name) => System.IO.Path.Combine(Path, name);

    private sealed class DiskFile(SafeFileHandle handle) : ILogFile
    {
        public void Write(long offset, ReadOnlySpan<byte> bytes) => DurableFile.Write(handle, offset, bytes);

        public void SetLength(long length) => RandomAccess.SetLength(handle, length);

        public void Sync() => RandomAccess.FlushToDisk(handle);

        public void Dispose() => handle.Dispose();
    }
}
