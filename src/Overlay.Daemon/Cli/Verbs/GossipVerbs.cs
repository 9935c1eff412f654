using System.CommandLine;
using System.Globalization;
using Google.Protobuf;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>gossip ls|join|force-leave|event|events|query|rtt|key|keys|rotate</c>.</summary>
internal static class GossipVerbs
{
    /// <summary>A query waits longer than other calls may take.</summary>
    private static readonly TimeSpan QueryGrace = TimeSpan.FromSeconds(30);

    /// <summary>Two steps wait for nodes that live and do not answer.</summary>
    private static readonly TimeSpan RotationTime = TimeSpan.FromSeconds(90);

    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "gossip", "Gossip itself, and serf agents that take part in it", List(maker), Join(maker), ForceLeave(maker),
        Event(maker), Events(maker), Query(maker), RoundTrip(maker), Key(maker), Keys(maker), Rotate(maker));

    private static Verb List(VerbMaker maker)
    {
        Verb verb = new(
            "ls", "List the members of gossip: nodes and foreign agents; * marks this one",
            "overlayd gossip ls", "overlayd gossip ls --filter foreign=true -q");
        return maker.Lists(verb, async run =>
        {
            ListGossipMembersResponse answer = await run.CallAsync(
                "cannot list the members of gossip",
                static (agent, options) => agent.ListGossipMembersAsync(new(), options));
            run.Output.List(Listings.GossipMembers, answer.Members);
            return 0;
        });
    }

    private static Verb Join(VerbMaker maker)
    {
        NamesArgument addresses = Symbols.Many("ADDR", NameKind.None, "IP address of a serf agent, maybe with a port");
        Verb verb = new(
            "join", "Let the agents at these addresses, and all they know, take part in gossip",
            "overlayd gossip join 192.168.1.5", "overlayd gossip join 192.168.1.5:7947 [fd00::5]:7946");
        return maker.Does(verb, JoinAsync, addresses);

        async Task<int> JoinAsync(Invocation run)
        {
            JoinGossipRequest request = new();
            request.Addresses.AddRange(run.Value(addresses));
            JoinGossipResponse answer = await run.CallAsync(
                "cannot join gossip", (agent, options) => agent.JoinGossipAsync(request, options));
            run.Output.Result(answer, string.Join('\n', answer.Joined));
            return 0;
        }
    }

    private static Verb ForceLeave(VerbMaker maker)
    {
        NamesArgument names = Symbols.Many("MEMBER", NameKind.None, "Name of a foreign member that failed");
        Option<bool> prune = Symbols.Switch("--prune", "Forget it at once, too");
        Verb verb = new(
            "force-leave", "Call failed foreign members left, so that nobody tries to reach them any more",
            "overlayd gossip force-leave --prune web-3");
        return maker.Does(verb, ForceAsync, names, prune);

        Task<int> ForceAsync(Invocation run) => run.EachAsync(run.Value(names), async name =>
        {
            ForceLeaveGossipRequest request = new() { Name = name, Prune = run.Value(prune) };
            ForceLeaveGossipResponse answer = await run.CallAsync(
                $"cannot remove {name} from gossip", (agent, options) => agent.ForceLeaveGossipAsync(request, options));
            run.Output.Result(answer, name);
        });
    }

    private static Verb Event(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "The event's name");
        Argument<string> payload = Payload();
        Verb verb = new(
            "event", "Tell every member of something", "overlayd gossip event deploy 1.4.2");
        return maker.Does(verb, TellAsync, name, payload);

        async Task<int> TellAsync(Invocation run)
        {
            SendGossipEventRequest request = new()
            {
                Name = run.Value(name),
                Payload = ByteString.CopyFromUtf8(run.Value(payload)),
            };
            SendGossipEventResponse answer = await run.CallAsync(
                "cannot send the event", (agent, options) => agent.SendGossipEventAsync(request, options));
            run.Output.Result(answer, "");
            return 0;
        }
    }

    private static Verb Events(VerbMaker maker)
    {
        Verb verb = new("events", "List the last events that this node heard", "overlayd gossip events");
        return maker.Does(verb, ListAsync, maker.Globals.Filter, maker.Globals.NoTrunc);

        async Task<int> ListAsync(Invocation run)
        {
            ListGossipEventsResponse answer = await run.CallAsync(
                "cannot list events", static (agent, options) => agent.ListGossipEventsAsync(new(), options));
            run.Output.List(Listings.GossipEvents, answer.Events);
            return 0;
        }
    }

    private static Verb Query(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "What is asked");
        Argument<string> payload = Payload();
        Option<string[]> nodes = Symbols.Texts("--node", "MEMBER", "Ask this member alone; may be given again");
        Option<TimeSpan?> wait = Symbols.Duration("--wait", "How long to wait for answers [default: as serf, by size]");
        Verb verb = new(
            "query", "Ask the members and print who got it and what they answer",
            "overlayd gossip query uptime", "overlayd gossip query --node web-3 --wait 2s load");
        return maker.Does(verb, AskAsync, name, payload, nodes, wait);

        async Task<int> AskAsync(Invocation run)
        {
            TimeSpan? waits = run.Value(wait);
            QueryGossipRequest request = new()
            {
                Name = run.Value(name),
                Payload = ByteString.CopyFromUtf8(run.Value(payload)),
                WaitMs = (long)(waits?.TotalMilliseconds ?? 0),
            };
            request.Nodes.AddRange(run.Texts(nodes));
            QueryGossipResponse answer = await run.CallAsync(
                "cannot ask the query", (agent, options) => agent.QueryGossipAsync(request, options),
                QueryGrace + (waits ?? TimeSpan.Zero));
            run.Output.Talk($"{answer.Acks.Count} members got it, {answer.Answers.Count} answered.");
            IEnumerable<string> lines = answer.Acks.Select(static a => $"ack {a}")
                .Concat(answer.Answers.Select(static a => $"answer {a.From}: {a.Payload}"));
            run.Output.Result(answer, string.Join('\n', run.Output.Options.Quiet ? answer.Acks : lines));
            return 0;
        }
    }

    private static Verb RoundTrip(VerbMaker maker)
    {
        NameArgument to = Symbols.One("MEMBER", NameKind.None, "A member, or a node's host name or id");
        Argument<string> from = new("OTHER")
        {
            Description = "From there [default: this node]",
            Arity = ArgumentArity.ZeroOrOne,
            DefaultValueFactory = static _ => "",
        };
        Verb verb = new(
            "rtt", "Estimate the round trip to a member, or between two, from what probes measured",
            "overlayd gossip rtt host2", "overlayd gossip rtt host2 web-3");
        return maker.Does(verb, EstimateAsync, to, from);

        async Task<int> EstimateAsync(Invocation run)
        {
            EstimateRoundTripRequest request = new() { To = run.Value(to), From = run.Value(from) };
            RoundTripResponse answer = await run.CallAsync(
                "cannot estimate the round trip", (agent, options) => agent.EstimateRoundTripAsync(request, options));
            run.Output.Result(answer, Listings.Milliseconds(answer.Seconds));
            return 0;
        }
    }

    private static Verb Key(VerbMaker maker)
    {
        Verb verb = new(
            "key", "Print the key that seals gossip, as serf's -encrypt takes it; root only", "sudo overlayd gossip key");
        return maker.Does(verb, async run =>
        {
            GossipKeyResponse answer = await run.CallAsync(
                "cannot show the gossip key", static (agent, options) => agent.ShowGossipKeyAsync(new(), options));
            run.Output.Result(answer, answer.Key);
            return 0;
        });
    }

    private static Verb Keys(VerbMaker maker)
    {
        Verb verb = new(
            "keys", "List the keys that seal or open gossip, and how far a new one is; on a manager", "overlayd gossip keys");
        return maker.Does(verb, ListAsync, maker.Globals.Filter, maker.Globals.NoTrunc);

        async Task<int> ListAsync(Invocation run)
        {
            ListGossipKeysResponse answer = await run.CallAsync(
                "cannot list the gossip keys", static (agent, options) => agent.ListGossipKeysAsync(new(), options));
            run.Output.List(Listings.GossipKeys, answer.Keys);
            if (answer.Rotation.Length > 0)
            {
                run.Output.Talk($"A new key is on its way, because {answer.Rotation}."
                    + (answer.WaitingFor.Count == 0 ? "" : $" Not confirmed by {string.Join(", ", answer.WaitingFor)}."));
            }

            return 0;
        }
    }

    private static Verb Rotate(VerbMaker maker)
    {
        Option<bool> detach = Symbols.Switch("--detach", "Do not wait until the new key has taken over");
        Verb verb = new(
            "rotate", "Replace the key that seals gossip, without losing a packet; on a manager", "overlayd gossip rotate");
        return maker.Does(verb, RotateAsync, detach);

        async Task<int> RotateAsync(Invocation run)
        {
            RotateGossipKeyRequest request = new() { Detach = run.Value(detach) };
            RotateGossipKeyResponse answer = await run.CallAsync(
                "cannot replace the gossip key", (agent, options) => agent.RotateGossipKeyAsync(request, options), RotationTime);
            run.Output.Talk(request.Detach ? $"Key {answer.Epoch} is on its way." : $"Key {answer.Epoch} seals gossip now.");
            run.Output.Result(answer, answer.Epoch.ToString(CultureInfo.InvariantCulture));
            return 0;
        }
    }

    private static Argument<string> Payload() => new("PAYLOAD")
    {
        Description = "What belongs to it",
        Arity = ArgumentArity.ZeroOrOne,
        DefaultValueFactory = static _ => "",
    };
}
