using Overlay.Daemon.Agent;
using Overlay.Daemon.Storage;

namespace Overlay.Tests.Daemon.Storage;

public sealed class AgentFoldersTests
{
    [Fact]
    public void A_second_agent_gets_neither_folder_and_leaves_none_locked()
    {
        using TemporaryFolder folder = new();
        string Sub(string name) => Path.Combine(folder.Path, name);
        using (AgentFolders first = AgentFolders.Take(Sub("state"), Sub("run")))
        {
            Assert.Contains("--state-dir", Refused("state", "other"), StringComparison.Ordinal);
            Assert.Contains($"another agent uses {Sub("run")} (pid {Environment.ProcessId})", Refused("other", "run"), StringComparison.Ordinal);
            Assert.Contains("--runtime-dir", Refused("other", "run"), StringComparison.Ordinal);
            AgentFolders.Take(Sub("other"), Sub("other")).Dispose();
        }

        AgentFolders.Take(Sub("state"), Sub("run")).Dispose();
        Assert.Equal(DurableFile.PrivateFolder, File.GetUnixFileMode(Sub("state")));

        string Refused(string state, string runtime) =>
            Assert.Throws<StorageLockedException>(() => AgentFolders.Take(Sub(state), Sub(runtime))).Message;
    }
}
