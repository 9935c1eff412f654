using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Simulation.Whole;

/// <summary>A simulated disk as one life of a process sees it; the next one has its own.</summary>
internal sealed class SimFolder(SimDisk disk) : ILogFolder
{
    private bool closed;

    public string Path => "/simulated/log";

    public long FreeBytes => disk.IsFull ? 0 : 1L << 40;

    public IReadOnlyList<string> Names() => [.. disk.Files.Keys];

    public FileContent Read(string name, long limit) =>
        !disk.Files.TryGetValue(name, out SimFile? file) ? new(default, "there is no such file")
        : file.Cached.Length > limit ? new(default, "it is too long")
        : new(file.Cached.ToArray());

    public ILogFile Create(string name) => new OpenFile(this, Open().Create(name));

    public ILogFile Open(string name) =>
        new OpenFile(this, Open().Files.TryGetValue(name, out SimFile? file) ? file : throw new FileNotFoundException(name));

    public void Rename(string from, string to) => Open().Rename(from, to);

    public void Link(string from, string to) => Open().Link(from, to);

    public void Delete(string name) => Open().Delete(name);

    public void Sync() => Open().Sync();

    public void Dispose() => closed = true;

    private SimDisk Open()
    {
        Invariant.Holds(!closed, "a dead process writes nothing");
        return disk;
    }

    private sealed class OpenFile(SimFolder folder, SimFile file) : ILogFile
    {
        public void Write(long offset, ReadOnlySpan<byte> bytes) => folder.Open().Write(file, offset, bytes);

        public void SetLength(long length) => folder.Open().SetLength(file, length);

        public void Sync() => folder.Open().Sync(file);

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
