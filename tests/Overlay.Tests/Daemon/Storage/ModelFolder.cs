using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>What a disk was told, in order; the marks are the test's own.</summary>
internal abstract record DiskOperation
{
    private DiskOperation()
    {
    }

    public sealed record Create(string Name, int File) : DiskOperation;

    public sealed record Write(int File, int Offset, byte[] Bytes) : DiskOperation;

    public sealed record SetLength(int File, int Length) : DiskOperation;

    public sealed record SyncFile(int File) : DiskOperation;

    public sealed record Rename(string From, string To) : DiskOperation;

    public sealed record Link(string From, string To) : DiskOperation;

    public sealed record Delete(string Name) : DiskOperation;

    public sealed record SyncFolder : DiskOperation;

    /// <summary>An append or snapshot begins (or has been acknowledged).</summary>
    public sealed record Mark(string Text, ulong Index) : DiskOperation;
}

/// <summary>A folder in memory that writes down everything it is told, and fails where the test wants it to.</summary>
internal sealed class ModelFolder : ILogFolder
{
    private readonly SortedDictionary<string, int> names = new(StringComparer.Ordinal);
    private readonly List<ModelBytes> files = [];

    /// <param name="image">Names and bytes; not changed.</param>
    public ModelFolder(IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>>? image = null)
    {
        foreach ((string name, ReadOnlyMemory<byte> bytes) in image ?? [])
        {
            names[name] = files.Count;
            files.Add(new(bytes));
        }
    }

    public string Path => "/model/log";

    public long FreeBytes { get; set; } = long.MaxValue / 2;

    /// <summary>Throws in place of the operation; called before each.</summary>
    public Action<DiskOperation>? Before { get; set; }

    public List<DiskOperation> Journal { get; } = [];

    /// <summary>Valid until the next write.</summary>
    public SortedDictionary<string, ReadOnlyMemory<byte>> Image() => new(
        names.ToDictionary(static n => n.Key, n => files[n.Value].Memory), StringComparer.Ordinal);

    /// <summary>Nothing of it is read any more.</summary>
    public void Release() => files.ForEach(static file => file.Release());

    public void Mark(string text, ulong index) => Journal.Add(new DiskOperation.Mark(text, index));

    public IReadOnlyList<string> Names() => [.. names.Keys];

    public FileContent Read(string name, long limit) => files[names[name]].Memory is var bytes && bytes.Length <= limit
        ? new(bytes)
        : new(default, "it is too long");

    public ILogFile Create(string name)
    {
        Tell(new DiskOperation.Create(name, files.Count));
        names[name] = files.Count;
        files.Add(new(default));
        return new OpenFile(this, files.Count - 1);
    }

    public ILogFile Open(string name) => new OpenFile(this, names[name]);

    public void Rename(string from, string to)
    {
        Tell(new DiskOperation.Rename(from, to));
        names[to] = names[from];
        names.Remove(from);
    }

    public void Link(string from, string to)
    {
        Tell(new DiskOperation.Link(from, to));
        names[to] = names[from];
    }

    public void Delete(string name)
    {
        Tell(new DiskOperation.Delete(name));
        names.Remove(name);
    }

    public void Sync() => Tell(new DiskOperation.SyncFolder());

    public void Dispose()
    {
        // Nothing is held.
    }

    private void Tell(DiskOperation operation)
    {
        Before?.Invoke(operation);
        Journal.Add(operation);
    }

    private sealed class OpenFile(ModelFolder folder, int file) : ILogFile
    {
        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            folder.Tell(new DiskOperation.Write(file, (int)offset, bytes.ToArray()));
            folder.files[file].Write((int)offset, bytes);
        }

        public void SetLength(long length)
        {
            folder.Tell(new DiskOperation.SetLength(file, (int)length));
            folder.files[file].SetLength((int)length);
        }

        public void Sync() => folder.Tell(new DiskOperation.SyncFile(file));

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}
