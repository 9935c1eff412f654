using System.CommandLine;
using System.Globalization;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>service create|ls|inspect|rm</c>.</summary>
internal static class ServiceVerbs
{
    private const string Vip = "vip";

    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "service", "Names for endpoints that do the same", Create(maker), List(maker), Inspect(maker), Remove(maker));

    private static Verb Create(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "The service's name: letters, digits, '_' and '-'");
        Option<string?> network = Symbols.Text("--network", "NETWORK", "The network of its backends: name, id or unique prefix of an id");
        Option<string?> mode = Symbols.Choice(
            "--endpoint-mode", "What the name answers with: one virtual address, or those of all backends [default: vip]", Vip, "dnsrr");
        Option<string[]> virtualAddress = Symbols.Addresses(
            "--vip", "The virtual address, outside the blocks of nodes; once for each family [default: a free one]");
        Option<string?> scheduler = Symbols.Text(
            "--scheduler", "SCHEDULER", "Which backend a connection gets: rr (in turn), wrr (by weight) or sh (by the client's address) [default: wrr]");
        Option<string[]> label = Symbols.Labels("--label", "Metadata; may be repeated");
        HealthOptions health = new();
        Verb verb = new(
            "create", "Create a service, whose backends are attached with --service",
            "overlayd service create web --network blue",
            "overlayd service create --network blue --health http:8080/healthz --health-interval 5s web",
            "overlayd service create --network blue --vip 10.0.0.80 --scheduler sh web",
            "overlayd service create --network blue --endpoint-mode dnsrr --label tier=front web");
        verb.Validators.Add(result =>
        {
            if (result.GetResult(network) is null)
            {
                result.AddError("overlayd service create needs --network");
            }
        });
        health.ValidateIn(verb, "overlayd service create");
        return maker.Does(verb, CreateAsync, [name, network, mode, virtualAddress, scheduler, .. health.All, label]);

        async Task<int> CreateAsync(Invocation run)
        {
            CreateServiceRequest request = new()
            {
                Name = run.Value(name),
                Network = run.Text(network),
                EndpointMode = run.Text(mode) is "" or Vip ? EndpointMode.Vip : EndpointMode.Dnsrr,
                Scheduler = run.Text(scheduler),
                Health = health.Read(run),
                RequestId = Guid.NewGuid().ToString("N"),
            };
            request.VirtualAddresses.AddRange(run.Texts(virtualAddress));
            foreach (string[] pair in run.Texts(label).Select(static text => text.Split('=', 2)))
            {
                request.Labels.Add(pair[0], pair.Length == 2 ? pair[1] : "");
            }

            ServiceView made = await run.CallAsync(
                $"cannot create service {request.Name}", (agent, options) => agent.CreateServiceAsync(request, options));
            run.Output.Result(made, made.Service.Id);
            return 0;
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
