using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>completion bash|zsh|fish</c>, and the hidden <c>__complete</c> its scripts ask for names.</summary>
internal static class CompletionVerbs
{
    /// <summary>A person waits with a finger on the tab key.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static Verb Make(VerbMaker maker, RootCommand root)
    {
        NameArgument shell = new("bash|zsh|fish", NameKind.Shell) { Description = "The shell" };
        shell.Validators.Add(static result =>
        {
            if (result.Tokens is [{ Value: not ("bash" or "zsh" or "fish") and var text }])
            {
                result.AddError($"there is no completion for '{text}': use bash, zsh or fish");
            }
        });
        Verb verb = new(
            "completion", "Print a completion script for a shell",
            "overlayd completion bash > /usr/share/bash-completion/completions/overlayd",
            "source <(overlayd completion bash)");
        return maker.Does(verb, PrintAsync, shell);

        async Task<int> PrintAsync(Invocation run)
        {
            IReadOnlyList<CompletionNode> nodes = CompletionNode.OfTree(root);
            await run.Terminal.Out.WriteAsync(run.Value(shell) switch
            {
                "bash" => CompletionScript.Bash(nodes),
                "zsh" => CompletionScript.Zsh(nodes),
                _ => CompletionScript.Fish(nodes),
            });
            return ExitCode.Ok;
        }
    }

    public static Verb MakeNames(VerbMaker maker)
    {
        Argument<string> kind = new("KIND") { Arity = ArgumentArity.ExactlyOne };
        Verb verb = new(CompletionScript.NamesCommand, "Print the names a shell may complete") { Hidden = true };
        return maker.Does(verb, PrintAsync, kind);

        async Task<int> PrintAsync(Invocation run)
        {
            try
            {
                IEnumerable<string> names = await NamesAsync(run, run.Value(kind));
                foreach (string name in names.Distinct().Order(StringComparer.Ordinal))
                {
                    run.Output.Line(name);
                }
            }
            catch (FailureException)
            {
                // Nobody reads errors while completing a word; the shell then offers nothing.
            }

            return ExitCode.Ok;
        }
    }

    private static async Task<IEnumerable<string>> NamesAsync(Invocation run, string kind)
    {
        const string What = "cannot complete";
        switch (kind)
        {
            case "network":
                ListNetworksResponse networks = await run.CallAsync(
                    What, static (agent, options) => agent.ListNetworksAsync(new(), options), Patience);
                return networks.Networks.Select(static view => view.Network.Name);
            case "node":
                ListNodesResponse nodes = await run.CallAsync(
                    What, static (agent, options) => agent.ListNodesAsync(new(), options), Patience);
                return nodes.Nodes.Select(static node => node.Hostname);
            case "sandbox":
                ListSandboxesResponse sandboxes = await run.CallAsync(
                    What, static (agent, options) => agent.ListSandboxesAsync(new(), options), Patience);
                return sandboxes.Sandboxes.Select(static sandbox => sandbox.Name);
            case "endpoint":
                ListEndpointsResponse endpoints = await run.CallAsync(
                    What, static (agent, options) => agent.ListEndpointsAsync(new(), options), Patience);
                return endpoints.Endpoints.SelectMany(static endpoint => new[] { endpoint.Name, endpoint.Id });
            case "service":
                ListServicesResponse services = await run.CallAsync(
                    What, static (agent, options) => agent.ListServicesAsync(new(), options), Patience);
                return services.Services.Select(static view => view.Service.Name);
            case "role":
                return ["worker", "manager"];
            case "shell":
                return ["bash", "zsh", "fish"];
            default:
                return [];
        }
    }
}
