using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>service create|update|ls|inspect|rm</c>.</summary>
internal static class ServiceVerbs
{
    private const string Vip = "vip";

    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "service", "Names for endpoints that do the same", Create(maker), Update(maker), List(maker), Inspect(maker), Remove(maker));

    private static Verb Create(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "The service's name: letters, digits, '_' and '-'");
        Option<string?> network = Symbols.Text("--network", "NETWORK", "The network of its backends: name, id or unique prefix of an id");
        Option<string?> mode = Symbols.Choice(
            "--endpoint-mode", "What the name answers with: one virtual address, or those of all backends [default: vip]", Vip, "dnsrr");
        Option<string[]> virtualAddress = Symbols.Addresses(
            "--vip", "The virtual address, outside the blocks of nodes; once for each family [default: a free one]");
        Option<string?> scheduler = Symbols.Text(
            "--scheduler", "SCHEDULER",
            "Which backend a connection gets: rr (in turn), wrr (by weight), sh (by the client's address); with IPVS lc, wlc (who has the fewest), mh "
                + "[default: wrr]");
        Option<string[]> publish = Symbols.Ports(
            "--publish", "A port of all nodes, as 8080:80, or published=8080,target=80,mode=host of those with backends; may be repeated");
        publish.Aliases.Add("-p");
        Option<string?> weightBy = Symbols.Text(
            "--weight-by", "LABEL", "The label of nodes that is the weight of backends there, unless they are attached with one, as web:3");
        Option<string?> source = SourceOption(" [default: preserve]");
        Option<string?> locality = LocalityOption(" [default: off]");
        Option<string[]> label = Symbols.Labels("--label", "Metadata; may be repeated");
        FlowOptions flows = new();
        HealthOptions health = new();
        Verb verb = new(
            "create", "Create a service, whose backends are attached with --service",
            "overlayd service create web --network blue",
            "overlayd service create --network blue --health http:8080/healthz --health-interval 5s web",
            "overlayd service create --network blue --vip 10.0.0.80 --scheduler sh web",
            "overlayd service create --network blue --endpoint-mode dnsrr --label tier=front web",
            "overlayd service create --network blue --weight-by cores web",
            "overlayd service create --network blue --sticky 10m --timeout tcp=2h,udp=5m web",
            "overlayd service create --network blue --publish 8080:80 web",
            "overlayd service create --network blue --publish published=8080,target=80,mode=host web");
        verb.Validators.Add(result =>
        {
            if (result.GetResult(network) is null)
            {
                result.AddError("overlayd service create needs --network");
            }
        });
        health.ValidateIn(verb, "overlayd service create");
        return maker.Does(verb, CreateAsync, [
            name, network, mode, virtualAddress, scheduler, weightBy, .. flows.All, publish, source, locality, .. health.All, label]);

        async Task<int> CreateAsync(Invocation run)
        {
            CreateServiceRequest request = new()
            {
                Name = run.Value(name),
                Network = run.Text(network),
                EndpointMode = run.Text(mode) is "" or Vip ? EndpointMode.Vip : EndpointMode.Dnsrr,
                Scheduler = run.Text(scheduler),
                SourceIp = run.Text(source),
                Locality = run.Text(locality),
                WeightBy = run.Text(weightBy),
                StickyMs = flows.Sticky(run) ?? 0,
                Timeouts = flows.Timeouts(run),
                Health = health.Read(run),
                RequestId = Guid.NewGuid().ToString("N"),
            };
            request.VirtualAddresses.AddRange(run.Texts(virtualAddress));
            request.Ports.AddRange(PortsOf(run, publish));
            foreach (string[] pair in run.Texts(label).Select(static text => text.Split('=', 2)))
            {
                request.Labels.Add(pair[0], pair.Length == 2 ? pair[1] : "");
            }

            ServiceView made = await run.CallAsync(
                $"cannot create service {request.Name}", (agent, options) => agent.CreateServiceAsync(request, options));
            TellPorts(run, made, request.Ports);
            run.Output.Result(made, made.Service.Id);
            return 0;
        }
    }

    private static Verb Update(VerbMaker maker)
    {
        NameArgument name = Symbols.One("SERVICE", NameKind.Service, "Name, id or unique prefix of an id");
        Option<string[]> added = Symbols.Ports("--publish-add", "Publish a port, as 8080:80 or published=8080,target=80,mode=host; may be repeated");
        Option<string[]> removed = Symbols.Texts("--publish-rm", "TARGET[/PROTOCOL]", "Publish that target port no longer; may be repeated");
        removed.Validators.Add(static result =>
        {
            foreach (Token token in result.Tokens.Where(static t => PortText.ParseTarget(t.Value) is null))
            {
                result.AddError($"--publish-rm is '{token.Value}': use the port that the backends listen on, like 80 or 53/udp");
            }
        });
        Option<string?> scheduler = Symbols.Text("--scheduler", "SCHEDULER", "Which backend a connection gets: rr, wrr, sh, lc, wlc or mh");
        Option<string?> weightBy = Symbols.Text("--weight-by", "LABEL", "The label of nodes that is the weight of backends there; '': none any more");
        Option<string?> source = SourceOption("");
        Option<string?> locality = LocalityOption("");
        Option<string[]> labelled = Symbols.Labels("--label-add", "Add or replace a label; may be repeated");
        Option<string[]> unlabelled = Symbols.Texts("--label-rm", "KEY", "Remove a label; may be repeated");
        FlowOptions flows = new(replaces: true);
        HealthOptions health = new(replaces: true);
        Symbol[] changes = [added, removed, scheduler, weightBy, .. flows.All, source, locality, .. health.All, labelled, unlabelled];
        Verb verb = new(
            "update", "Change a service; connections go on", "overlayd service update --publish-add 8080:80 web",
            "overlayd service update --publish-rm 80 web", "overlayd service update --health http:8080/healthz --health-interval 5s web",
            "overlayd service update --scheduler sh --label-add tier=front web", "overlayd service update --sticky off --timeout udp=5m web");
        verb.Validators.Add(result =>
        {
            if (changes.Cast<Option>().All(option => result.GetResult(option) is null))
            {
                result.AddError(
                    "overlayd service update needs --publish-add, --publish-rm, --scheduler, --weight-by, --sticky, --timeout, --source-ip, --locality, "
                        + "--health, --label-add or --label-rm");
            }
        });
        health.ValidateIn(verb, "overlayd service update");
        return maker.Does(verb, UpdateAsync, [name, .. changes]);

        async Task<int> UpdateAsync(Invocation run)
        {
            UpdateServiceRequest request = new()
            {
                Service = run.Value(name),
                Scheduler = run.Text(scheduler),
                SourceIp = run.Text(source),
                Locality = run.Text(locality),
                Timeouts = flows.Timeouts(run),
                Health = health.Read(run),
                NoHealth = health.IsNone(run),
            };
            if (run.Value(weightBy) is { } label)
            {
                request.WeightBy = label;
            }

            if (flows.Sticky(run) is { } sticky)
            {
                request.StickyMs = sticky;
            }

            request.PublishAdd.AddRange(PortsOf(run, added));
            request.PublishRm.AddRange(run.Texts(removed).Select(static text => PortText.ParseTarget(text)!));
            foreach (string[] pair in run.Texts(labelled).Select(static text => text.Split('=', 2)))
            {
                request.LabelAdd.Add(pair[0], pair.Length == 2 ? pair[1] : "");
            }

            request.LabelRm.Add(run.Texts(unlabelled));
            UpdateServiceResponse answer = await run.CallAsync(
                $"cannot change service {request.Service}", (agent, options) => agent.UpdateServiceAsync(request, options));
            string shown = answer.Service.Service.Name;
            run.Output.Talk(answer.Changed ? $"Service {shown} is changed." : $"Service {shown} is so already.");
            TellPorts(run, answer.Service, request.PublishAdd);
            run.Output.Result(answer, shown);
            return 0;
        }
    }

    private static Option<string?> SourceOption(string otherwise) => Symbols.Choice(
        "--source-ip", $"Whom backends see behind a published port: the client (preserve) or their own node (snat){otherwise}", "preserve", "snat");

    private static Option<string?> LocalityOption(string otherwise) => Symbols.Choice(
        "--locality", $"Whether backends of the client's own node come first (prefer), are the only ones (require), or neither (off){otherwise}",
        "off", "prefer", "require");

    private static IEnumerable<PublishedPort> PortsOf(Invocation run, Option<string[]> option) =>
        run.Texts(option).Select(static text => PortText.Parse(text, out _)!);

    /// <summary>The numbers that were chosen, and what this node does not serve.</summary>
    private static void TellPorts(Invocation run, ServiceView view, IEnumerable<PublishedPort> asked)
    {
        if (asked.Any(static p => p.Published == 0))
        {
            run.Output.Talk($"Published: {string.Join(", ", view.Service.Ports.Select(PortText.Of))}.");
        }

        foreach (string refused in view.RefusedPorts)
        {
            run.Output.Talk($"Not on this node: {refused}.");
        }
    }

    private static Verb List(VerbMaker maker)
    {
        Option<string?> network = Symbols.Text("--network", "NETWORK", "Only of this network");
        Verb verb = new(
            "ls", "List services", "overlayd service ls", "overlayd service ls --network blue --filter label=tier=front -q");
        return maker.Lists(verb, ListAsync, network);

        async Task<int> ListAsync(Invocation run)
        {
            ListServicesRequest request = new() { Network = run.Text(network) };
            ListServicesResponse answer = await run.CallAsync(
                "cannot list the services", (agent, options) => agent.ListServicesAsync(request, options));
            run.Output.List(Listings.Services, answer.Services);
            return 0;
        }
    }

    private static Verb Inspect(VerbMaker maker)
    {
        NamesArgument services = Symbols.Many("SERVICE", NameKind.Service, "Name, id or unique prefix of an id");
        Verb verb = new("inspect", "Show all of one or more services as JSON, with their backends", "overlayd service inspect web");
        return maker.Does(verb, InspectAsync, services);

        async Task<int> InspectAsync(Invocation run)
        {
            List<ServiceView> found = [];
            int exitCode = await run.EachAsync(run.Value(services), async name => found.Add(await run.CallAsync(
                $"cannot show service {name}", (agent, options) => agent.InspectServiceAsync(
                    new InspectServiceRequest { Service = name }, options))));
            run.Output.Inspect(found);
            return exitCode;
        }
    }

    private static Verb Remove(VerbMaker maker)
    {
        NamesArgument services = Symbols.Many("SERVICE", NameKind.Service, "Name, id or unique prefix of an id");
        Verb verb = new("rm", "Remove services; their backends stay attached, and lose the name", "overlayd service rm web api");
        return maker.Removes(verb, RemoveAsync, services);

        Task<int> RemoveAsync(Invocation run) => run.EachAsync(run.Value(services), async name =>
        {
            RemoveServiceResponse answer = await run.CallAsync(
                $"cannot remove service {name}",
                (agent, options) => agent.RemoveServiceAsync(new RemoveServiceRequest { Service = name }, options));
            run.Output.Result(answer, name);
            if (answer.Endpoints > 0)
            {
                run.Output.Talk(
                    answer.Endpoints == 1
                        ? $"The endpoint that was its backend goes on without the name {name}."
                        : $"The {answer.Endpoints.ToString(CultureInfo.InvariantCulture)} endpoints that were its backends "
                            + $"go on without the name {name}.");
            }
        });
    }
}
