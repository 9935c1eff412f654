using Overlay.Daemon;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Cli;

// Asked for by scripts and at every prompt: answered before a parser is loaded.
if (args is ["version"] or ["--version"])
{
    AgentVersion.WriteSentence();
    return 0;
}

if (!args.Contains("run"))
{
    // Only the agent's meters are read; making those of the HTTP client delays every other command.
    AppContext.SetSwitch("System.Diagnostics.Metrics.Meter.IsSupported", false);
}

return await CommandLine.RunAsync(args, Terminal.OfProcess(), AgentProcess.RunAsync, CancellationToken.None);
