using Overlay.Raft;

namespace Overlay.Daemon.Storage;

/// <summary>
/// The folder of a log, as far as <see cref="LogStore"/> needs one. Nothing is durable before it is synced: bytes and
/// lengths by their file, names by the folder.
/// </summary>
internal interface ILogFolder : IDisposable
{
    /// <summary>As the operator knows it.</summary>
    string Path { get; }

    long FreeBytes { get; }

    IReadOnlyList<string> Names();

    /// <summary>Never throws: what cannot be read, or is longer than the limit, says so.</summary>
    FileContent Read(string name, long limit);

    /// <summary>An empty file; one of that name is replaced.</summary>
    ILogFile Create(string name);

    ILogFile Open(string name);

    void Rename(string from, string to);

    /// <summary>A second name for a file that is there; one of that name is replaced.</summary>
    void Link(string from, string to);

    void Delete(string name);

    void Sync();
}

/// <summary>A file of the log, open for writing.</summary>
internal interface ILogFile : IDisposable
{
    void Write(long offset, ReadOnlySpan<byte> bytes);

    void SetLength(long length);

    void Sync();
}
