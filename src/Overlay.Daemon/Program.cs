using Overlay.Daemon;
using Overlay.Daemon.Cli;
using Overlay.Daemon.Configuration;
using Overlay.Daemon.Errors;

// Asked for by scripts and at every prompt: answered before a parser is loaded.
if (args is ["version"] or ["--version"])
{
    AgentVersion.WriteSentence();
    return 0;
}

return await CommandLine.RunAsync(args, Terminal.OfProcess(), RunAgentAsync, CancellationToken.None);

static Task<int> RunAgentAsync(AgentSettings settings, CancellationToken stop) =>
    throw new FailureException("cannot run the agent", "this build has none", "", ExitCode.Failure);
