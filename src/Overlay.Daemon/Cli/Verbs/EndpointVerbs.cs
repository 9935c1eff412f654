using System.CommandLine;
using System.Globalization;
using System.Net.Sockets;
using Overlay.Daemon.Errors;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>attach</c>, <c>detach</c> and <c>endpoint ls|inspect</c>.</summary>
internal static class EndpointVerbs
{
    /// <summary>PID_MAX_LIMIT of linux/threads.h.</summary>
    private const uint HighestPid = 4 * 1024 * 1024;

    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "endpoint", "What is attached to networks, on all nodes", List(maker), Inspect(maker));

    public static Verb MakeAttach(VerbMaker maker)
    {
        NameArgument network = Symbols.One("NETWORK", NameKind.Network, "Name, id or unique prefix of an id");
        NameArgument sandbox = Symbols.One(
            "SANDBOX", NameKind.Sandbox,
            "A sandbox's name, the path of a network namespace, or the PID of a process in one");
        sandbox.Arity = ArgumentArity.ZeroOrOne;
        Option<uint> pid = Symbols.Number(
            "--pid", "PID", "Attach the namespace of this process instead of a named one", 1, HighestPid);
        Option<string?> name = Symbols.Text("--name", "NAME", "DNS name [default: the sandbox's]");
        Option<string[]> alias = Symbols.Texts("--alias", "NAME", "Another DNS name; may be repeated");
        Option<string?> ip = Symbols.Address("--ip", AddressFamily.InterNetwork, "IPv4 address [default: a free one]");
        Option<string?> ip6 = Symbols.Address(
            "--ip6", AddressFamily.InterNetworkV6, "IPv6 address [default: a free one]");
        Option<string?> mac = Symbols.Mac("--mac", "Ethernet address [default: a new one, never used before]");
        Option<string?> device = Symbols.Text(
            "--interface", "NAME", "Name of the interface inside [default: the first free ethN]");
        Option<string?> service = Symbols.Backend(
            "--service",
            "The service that it is a backend of, and its weight there from 1 to 65535, which is kept and has no effect on names");
        Option<string?> healthCommand = Symbols.Text(
            "--health-cmd", "COMMAND",
            "What /bin/sh is to run in the namespace, as root, to see whether this backend is well: 0 is; beside the service's check, at its pace");
        Verb verb = new(
            "attach", "Attach a sandbox, a network namespace or a process to a network",
            "overlayd attach blue web",
            "overlayd attach --ip 10.0.1.10 --alias www blue web",
            "overlayd attach --service web blue web1",
            "overlayd attach --service db --health-cmd 'pg_isready -h 127.0.0.1' blue db1",
            "overlayd attach blue --pid $(docker inspect -f '{{.State.Pid}}' web) --name web",
            "overlayd attach blue /run/netns/vm7");
        maker.Does(verb, AttachAsync, network, sandbox, pid, name, alias, ip, ip6, mac, device, service, healthCommand);
        verb.Validators.Add(result =>
        {
            if (result.GetResult(sandbox) is { Tokens.Count: > 0 } == result.GetResult(pid) is { Tokens.Count: > 0 })
            {
                result.AddError("attach takes either SANDBOX or --pid");
            }

            if (result.GetResult(healthCommand) is { Tokens: [var command] })
            {
                if (result.GetResult(service) is null)
                {
                    result.AddError("attach takes --health-cmd only with --service");
                }
                else if (string.IsNullOrWhiteSpace(command.Value))
                {
                    result.AddError("--health-cmd is blank: write a command, like 'pg_isready -h 127.0.0.1'");
                }
            }
        });
        return verb;

        async Task<int> AttachAsync(Invocation run)
        {
            string target = run.Value(pid) is > 0 and uint number
                ? number.ToString(CultureInfo.InvariantCulture)
                : run.Value(sandbox);
            AttachRequest request = new()
            {
                Network = run.Value(network),
                Sandbox = target,
                Name = run.Text(name),
                Ipv4 = run.Text(ip),
                Ipv6 = run.Text(ip6),
                Mac = run.Text(mac),
                Interface = run.Text(device),
                RequestId = Guid.NewGuid().ToString("N"),
            };
            request.Aliases.Add(run.Texts(alias));
            if (run.Text(service) is { Length: > 0 } backend && BackendText.TryParse(backend, out string of, out uint weight))
            {
                request.Service = of;
                request.Weight = weight;
                request.HealthCommand = run.Text(healthCommand);
            }

            EndpointView made = await run.CallAsync(
                $"cannot attach {target} to network {request.Network}",
                (agent, options) => agent.AttachAsync(request, options));
            run.Output.Result(made, made.Id);
            run.Output.Talk(Attached(made));
            if (made.Health.Length > 0)
            {
                run.Output.Talk($"It is in the names of service {made.Service} with its first good check.");
            }

            return 0;
        }
    }

    public static Verb MakeDetach(VerbMaker maker)
    {
        NameArgument first = Symbols.One("NETWORK|ENDPOINT", NameKind.Network, "The network, or the endpoint alone");
        NameArgument sandbox = Symbols.One("SANDBOX", NameKind.Sandbox, "The sandbox, if the first is a network");
        sandbox.Arity = ArgumentArity.ZeroOrOne;
        Verb verb = new(
            "detach", "Detach a sandbox from a network",
            "overlayd detach blue web", "overlayd detach 0a1b2c3d4e5f6");
        return maker.Does(verb, DetachAsync, first, sandbox);

        async Task<int> DetachAsync(Invocation run)
        {
            string one = run.Value(first);
            string? two = run.Parse.GetValue(sandbox);
            DetachRequest request = two is null
                ? new DetachRequest { Endpoint = one }
                : new DetachRequest { Network = one, Sandbox = two };
            DetachResponse answer = await run.CallAsync(
                two is null ? $"cannot detach endpoint {one}" : $"cannot detach {two} from network {one}",
                (agent, options) => agent.DetachAsync(request, options));
            run.Output.Result(answer, answer.Id);
            return 0;
        }
    }

    private static Verb List(VerbMaker maker)
    {
        Option<string?> network = Symbols.Text("--network", "NETWORK", "Only of this network");
        Option<bool> local = Symbols.Switch("--local", "Only of this node");
        Verb verb = new(
            "ls", "List endpoints", "overlayd endpoint ls --network blue",
            "overlayd endpoint ls --local --format json");
        return maker.Lists(verb, ListAsync, network, local);

        async Task<int> ListAsync(Invocation run)
        {
            ListEndpointsRequest request = new() { Network = run.Text(network), Local = run.Value(local) };
            ListEndpointsResponse answer = await run.CallAsync(
                "cannot list the endpoints", (agent, options) => agent.ListEndpointsAsync(request, options));
            run.Output.List(Listings.Endpoints, answer.Endpoints);
            return ExitCode.Ok;
        }
    }

    private static Verb Inspect(VerbMaker maker)
    {
        NamesArgument endpoints = Symbols.Many("ENDPOINT", NameKind.Endpoint, "Name, id or unique prefix of an id");
        Verb verb = new("inspect", "Show all of one or more endpoints as JSON", "overlayd endpoint inspect web");
        return maker.Does(verb, InspectAsync, endpoints);

        async Task<int> InspectAsync(Invocation run)
        {
            List<EndpointView> found = [];
            int exitCode = await run.EachAsync(run.Value(endpoints), async name => found.Add(await run.CallAsync(
                $"cannot show endpoint {name}",
                (agent, options) =>
                    agent.InspectEndpointAsync(new InspectEndpointRequest { Endpoint = name }, options))));
            run.Output.Inspect(found);
            return exitCode;
        }
    }

    private static string Attached(EndpointView made)
    {
        string addresses = string.Join(" and ", new[] { made.Ipv4, made.Ipv6 }.Where(static a => a.Length > 0));
        return $"{made.Name} has {addresses} on {made.Interface} in network {made.Network}.";
    }
}
