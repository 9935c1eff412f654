using System.CommandLine;
using Overlay.V1;

namespace Overlay.Daemon.Cli.Verbs;

/// <summary><c>network create|ls|inspect|rm</c>.</summary>
internal static class NetworkVerbs
{
    public static Verb Make(VerbMaker maker) => VerbMaker.Noun(
        "network", "Overlay networks", Create(maker), List(maker), Inspect(maker), Remove(maker));

    private static Verb Create(VerbMaker maker)
    {
        NameArgument name = Symbols.One("NAME", NameKind.None, "The network's name: letters, digits, '.', '_' and '-'");
        Option<string[]> subnet = Symbols.Prefixes(
            "--subnet", "A subnet, IPv4 or IPv6; may be repeated [default: from the pool]");
        Option<string[]> gateway = Symbols.Addresses(
            "--gateway", "The gateway of the subnet it lies in; may be repeated");
        Option<string[]> range = Symbols.Prefixes(
            "--ip-range", "Where in a subnet automatic addresses come from; may be repeated");
        Option<uint> vni = Symbols.Number(
            "--vni", "VNI", "The VXLAN network identifier [default: allocated from 4096]", 1, (1 << 24) - 1);
        Option<uint> mtu = Symbols.Number(
            "--mtu", "BYTES", "MTU inside the network [default: from the underlay]", 1280, 65_535);
        Option<string[]> label = Symbols.Labels("--label", "Metadata; may be repeated");
        Option<bool> isInternal = Symbols.Switch("--internal", "No way out of the network");
        Option<bool> attachable = Symbols.Switch("--attachable", "Let containers attach by hand");
        Option<bool> ingress = Symbols.Switch("--ingress", "For published ports, instead of the one that comes with the first of them");
        Option<bool> ipv6 = Symbols.Switch("--ipv6", "Allocate an IPv6 subnet too");
        Verb verb = new(
            "create", "Create a network",
            "overlayd network create blue",
            "overlayd network create --subnet 10.1.0.0/24 --gateway 10.1.0.1 --ip-range 10.1.0.128/25 blue",
            "overlayd network create --ipv6 --internal --label tier=back back");
        return maker.Does(
            verb, CreateAsync, name, subnet, gateway, range, vni, mtu, label, isInternal, attachable, ingress, ipv6);

        async Task<int> CreateAsync(Invocation run)
        {
            CreateNetworkRequest request = new()
            {
                Name = run.Value(name),
                Vni = run.Value(vni),
                Mtu = run.Value(mtu),
                Internal = run.Value(isInternal),
                Attachable = run.Value(attachable),
                Ingress = run.Value(ingress),
                Ipv6 = run.Value(ipv6),
                RequestId = Guid.NewGuid().ToString("N"),
            };
            request.Subnets.Add(run.Texts(subnet));
            request.Gateways.Add(run.Texts(gateway));
            request.IpRanges.Add(run.Texts(range));
            foreach (string[] pair in run.Texts(label).Select(static text => text.Split('=', 2)))
            {
                request.Labels.Add(pair[0], pair.Length == 2 ? pair[1] : "");
            }

            NetworkView made = await run.CallAsync(
                $"cannot create network {request.Name}", (agent, options) =>
                    agent.CreateNetworkAsync(request, options));
            run.Output.Result(made, made.Network.Id);
            return 0;
        }
    }

    private static Verb List(VerbMaker maker)
    {
        Verb verb = new(
            "ls", "List networks", "overlayd network ls", "overlayd network ls --filter label=tier=back -q");
        return maker.Lists(verb, async run =>
        {
            ListNetworksResponse answer = await run.CallAsync(
                "cannot list the networks", static (agent, options) => agent.ListNetworksAsync(new(), options));
            run.Output.List(Listings.Networks, answer.Networks);
            return 0;
        });
    }

    private static Verb Inspect(VerbMaker maker)
    {
        NamesArgument networks = Symbols.Many("NETWORK", NameKind.Network, "Name, id or unique prefix of an id");
        Option<bool> verbose = Symbols.Switch(
            "--verbose", "With the endpoints, address blocks and peers of every node", "-v");
        Verb verb = new(
            "inspect", "Show all of one or more networks as JSON", "overlayd network inspect --verbose blue");
        return maker.Does(verb, InspectAsync, networks, verbose);

        async Task<int> InspectAsync(Invocation run)
        {
            List<NetworkView> found = [];
            int exitCode = await run.EachAsync(run.Value(networks), async name => found.Add(await run.CallAsync(
                $"cannot show network {name}", (agent, options) => agent.InspectNetworkAsync(
                    new InspectNetworkRequest { Network = name, Verbose = run.Value(verbose) }, options))));
            run.Output.Inspect(found);
            return exitCode;
        }
    }

    private static Verb Remove(VerbMaker maker)
    {
        NamesArgument networks = Symbols.Many("NETWORK", NameKind.Network, "Name, id or unique prefix of an id");
        Verb verb = new("rm", "Remove networks", "overlayd network rm blue green");
        return maker.Removes(verb, RemoveAsync, networks);

        Task<int> RemoveAsync(Invocation run) => run.EachAsync(run.Value(networks), async name =>
        {
            RemoveNetworkResponse answer = await run.CallAsync(
                $"cannot remove network {name}",
                (agent, options) => agent.RemoveNetworkAsync(new RemoveNetworkRequest { Network = name }, options));
            run.Output.Result(answer, name);
        });
    }
}
