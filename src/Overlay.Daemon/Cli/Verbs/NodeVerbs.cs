using System.CommandLine;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>node ls|inspect|update|promote|demote|rm</c>.</summary>
internal static class NodeVerbs
{
    /// <summary>A new manager reads the whole store; a former one waits for another leader.</summary>
    private static readonly TimeSpan RoleTimeout = TimeSpan.FromMinutes(1);

    /// <summary>Gossip tells of a drain within some hundred milliseconds; who does not answer is held dead, or without its agent, before this.</summary>
    private static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan DrainPace = TimeSpan.FromMilliseconds(200);

    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "node", "The cluster's nodes", List(maker), Inspect(maker), Update(maker),
        SetRole(maker, "promote", NodeRole.Manager, "Make managers of workers", "overlayd node promote host2 host3"),
        SetRole(maker, "demote", NodeRole.Worker, "Make workers of managers", "overlayd node demote host2"), Remove(maker));

    private static Verb SetRole(VerbMaker maker, string name, NodeRole role, string what, string example)
    {
        NamesArgument nodes = Symbols.Many("NODE", NameKind.Node, "Host name, id, unique prefix of an id, or self");
        Option<bool> detach = Symbols.Switch("--detach", "Return at once", "-d");
        Verb verb = new(name, what, example);
        return maker.Does(verb, SetAsync, nodes, detach);

        Task<int> SetAsync(Invocation run) => run.EachAsync(run.Value(nodes), async node =>
        {
            SetNodeRoleRequest request = new() { Node = node, Role = role, Detach = run.Value(detach) };
            SetNodeRoleResponse answer = await run.CallAsync(
                $"cannot {name} node {node}", (agent, options) => agent.SetNodeRoleAsync(request, options), RoleTimeout);
            run.Output.Talk(
                !answer.Changed ? $"Node {answer.Node.Hostname} is a {RoleText.Of(role)} already."
                : request.Detach ? $"Node {answer.Node.Hostname} is to be a {RoleText.Of(role)}; see `overlayd node ls`."
                : $"Node {answer.Node.Hostname} is a {RoleText.Of(role)} now.");
            run.Output.Result(answer, node);
        });
    }

    private static Verb Update(VerbMaker maker)
    {
        NamesArgument nodes = Symbols.Many("NODE", NameKind.Node, "Host name, id, unique prefix of an id, or self");
        Option<string?> availability = Symbols.Choice(
            "--availability", "pause: no new endpoints there; drain: and nothing new is sent to those it has; active: as usual",
            "active", "pause", "drain");
        Option<string[]> added = Symbols.Labels("--label-add", "Add or replace a label; may be repeated");
        Option<string[]> removed = Symbols.Texts("--label-rm", "KEY", "Remove a label; may be repeated");
        Option<bool> detach = Symbols.Switch("--detach", "Of a drain: return before every node has said that it knows", "-d");
        Verb verb = new(
            "update", "Pause, drain or label nodes; on a manager", "overlayd node update --availability drain host2 host3",
            "overlayd node update --availability active host2", "overlayd node update --label-add rack=7 --label-rm old host2");
        verb.Validators.Add(result =>
        {
            if (result.GetResult(availability) is null && result.GetResult(added) is null && result.GetResult(removed) is null)
            {
                result.AddError("overlayd node update needs --availability, --label-add or --label-rm");
            }
        });
        return maker.Does(verb, UpdateAsync, nodes, availability, added, removed, detach);

        Task<int> UpdateAsync(Invocation run) => run.EachAsync(run.Value(nodes), async node =>
        {
            UpdateNodeRequest request = new() { Node = node, Availability = AvailabilityOf(run.Text(availability)) };
            foreach (string[] pair in run.Texts(added).Select(static text => text.Split('=', 2)))
            {
                request.LabelAdd.Add(pair[0], pair.Length == 2 ? pair[1] : "");
            }

            request.LabelRm.Add(run.Texts(removed));
            UpdateNodeResponse answer = await run.CallAsync(
                $"cannot change node {node}", (agent, options) => agent.UpdateNodeAsync(request, options));
            if (request.Availability == NodeAvailability.Drain && !run.Value(detach))
            {
                answer.Node = await AwaitDrainAsync(run, answer.Node);
            }

            run.Output.Talk(Told(answer, request.Availability));
            run.Output.Result(answer, node);
        });
    }

    /// <summary>Until every node has acknowledged it, or its own agent is not there to hear of that.</summary>
    private static async Task<NodeView> AwaitDrainAsync(Invocation run, NodeView drained)
    {
        string what = $"cannot see whether node {drained.Hostname} is drained everywhere";
        TimeProvider time = run.Terminal.Time;
        long begun = time.GetTimestamp();
        TimeSpan limit = run.Limit ?? DrainTimeout;
        long asked = drained.AvailabilitySinceUnixMs;
        while (drained is { Drained: false, Status: "alive" or "degraded" or "suspect" } && asked > 0 && drained.AvailabilitySinceUnixMs <= asked)
        {
            if (time.GetElapsedTime(begun) > limit)
            {
                throw new FailureException(
                    $"node {drained.Hostname} is not drained everywhere",
                    "it gets no new endpoints, but not every node has said that it sends nothing new there",
                    $"See `drained` in `overlayd node inspect {drained.Hostname}`, and whose agent is down with `overlayd node ls`", ExitCode.Timeout);
            }

            await Task.Delay(DrainPace, time, run.Stop);
            InspectNodeRequest request = new() { Node = drained.Id };
            drained = await run.CallAsync(what, (agent, options) => agent.InspectNodeAsync(request, options));
        }

        return drained;
    }

    private static NodeAvailability AvailabilityOf(string text) => text switch
    {
        "active" => NodeAvailability.Active,
        "pause" => NodeAvailability.Pause,
        "drain" => NodeAvailability.Drain,
        _ => NodeAvailability.Unspecified,
    };

    private static string Told(UpdateNodeResponse answer, NodeAvailability wanted)
    {
        string name = $"Node {answer.Node.Hostname}";
        return !answer.Changed ? $"{name} is so already."
            : wanted switch
            {
                NodeAvailability.Active => $"{name} is active.",
                NodeAvailability.Pause => $"{name} is paused: it gets no new endpoints; those it has go on.",
                NodeAvailability.Drain when answer.Node.Drained =>
                    $"{name} is drained, and every node knows: nothing new is sent to what it has; traffic there goes on.",
                NodeAvailability.Drain =>
                    $"{name} is drained: it gets no new endpoints, and those it has go out of names; their traffic goes on.",
                _ => $"{name} is changed.",
            };
    }

    private static Verb List(VerbMaker maker)
    {
        Verb verb = new(
            "ls", "List nodes; * marks this one", "overlayd node ls", "overlayd node ls --filter role=manager -q",
            "overlayd node ls --filter availability=drain");
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
