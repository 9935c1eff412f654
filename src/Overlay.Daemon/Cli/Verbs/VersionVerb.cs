using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>version</c>: of this program, and with --server of the agent that runs.</summary>
internal static class VersionVerb
{
    public static Verb Make(VerbMaker maker)
    {
        Option<bool> server = Symbols.Switch("--server", "Ask the agent of this host for its version");
        Verb verb = new("version", "Show the version", "overlayd version", "overlayd version --server --format json");
        return maker.Does(verb, ShowAsync, server);

        async Task<int> ShowAsync(Invocation run)
        {
            VersionResponse version = run.Value(server)
                ? await run.CallAsync("cannot ask for the agent's version",
                    static (agent, options) => agent.GetVersionAsync(new(), options))
                : new VersionResponse
                {
                    Version = AgentVersion.Text,
                    Revision = AgentVersion.Revision,
                    Runtime = AgentVersion.Runtime,
                };
            run.Output.Result(
                version,
                run.Output.Options.Quiet
                    ? version.Version
                    : AgentVersion.Sentence(version.Version, version.Revision, version.Runtime));
            return ExitCode.Ok;
        }
    }
}
