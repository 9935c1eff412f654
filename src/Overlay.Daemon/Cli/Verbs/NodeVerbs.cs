using System.CommandLine;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>node ls|inspect|rm</c>.</summary>
internal static class NodeVerbs
{
    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "node", "The cluster's nodes", List(maker), Inspect(maker), Remove(maker));

    private static Verb List(VerbMaker maker)
    {
        Verb verb = new(
            "ls", "List nodes; * marks this one", "overlayd node ls", "overlayd node ls --filter role=manager -q");
        return maker.Lists(verb, async run =>
        {
            ListNodesResponse answer = await run.CallAsync(
                "cannot list the nodes", static (agent, options) => agent.ListNodesAsync(new(), options));
            run.Output.List(Listings.Nodes, answer.Nodes);
            return 0;
        });
    }

    private static Verb Inspect(VerbMaker maker)
    {
        NamesArgument nodes = Symbols.Many("NODE", NameKind.Node, "Host name, id, unique prefix of an id, or self");
        Verb verb = new("inspect", "Show all of one or more nodes as JSON", "overlayd node inspect self");
        return maker.Does(verb, InspectAsync, nodes);

        async Task<int> InspectAsync(Invocation run)
        {
            List<NodeView> found = [];
            int exitCode = await run.EachAsync(run.Value(nodes), async name => found.Add(await run.CallAsync(
                $"cannot show node {name}",
                (agent, options) => agent.InspectNodeAsync(new InspectNodeRequest { Node = name }, options))));
            run.Output.Inspect(found);
            return exitCode;
        }
    }

    private static Verb Remove(VerbMaker maker)
    {
        NamesArgument nodes = Symbols.Many("NODE", NameKind.Node, "Host name, id or unique prefix of an id");
        Option<bool> force = Symbols.Switch("--force", "Even if the node is alive", "-f");
        Verb verb = new("rm", "Remove nodes that have left or died", "overlayd node rm --force host3");
        return maker.Removes(verb, RemoveAsync, nodes, force);

        Task<int> RemoveAsync(Invocation run) => run.EachAsync(run.Value(nodes), async name =>
        {
            RemoveNodeRequest request = new() { Node = name, Force = run.Value(force) };
            RemoveNodeResponse answer = await run.CallAsync(
                $"cannot remove node {name}", (agent, options) => agent.RemoveNodeAsync(request, options));
            run.Output.Result(answer, name);
        });
    }
}
