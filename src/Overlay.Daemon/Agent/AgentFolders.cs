using Overlay.Daemon.Storage;

namespace Overlay.Daemon.Agent;

/// <summary>The state and runtime folders, made where they are missing and held against other agents.</summary>
internal sealed class AgentFolders : IDisposable
{
    private const UnixFileMode Searchable = DurableFile.PrivateFolder | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly FolderLock state;
    private readonly FolderLock? runtime;

    private AgentFolders(FolderLock state, FolderLock? runtime)
    {
        this.state = state;
        this.runtime = runtime;
    }

    /// <exception cref="StorageLockedException">Another agent has one of them.</exception>
    public static AgentFolders Take(string stateFolder, string runtimeFolder)
    {
        Directory.CreateDirectory(stateFolder, DurableFile.PrivateFolder);
        Directory.CreateDirectory(runtimeFolder, Searchable);
        FolderLock state = FolderLock.Take(stateFolder, "--state-dir");
        try
        {
            return new(state, runtimeFolder == stateFolder ? null : FolderLock.Take(runtimeFolder, "--runtime-dir"));
        }
        catch
        {
            state.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        runtime?.Dispose();
        state.Dispose();
    }
}
