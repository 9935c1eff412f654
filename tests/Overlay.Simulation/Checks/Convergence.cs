using Overlay.Dataplane;
using Overlay.Gossip;
using Overlay.Gossip.Wire;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.Simulation.World;
using Overlay.V1;

namespace Overlay.Simulation.Checks;

/// <summary>What must be once faults have ended and some time has passed.</summary>
internal static class Convergence
{
    /// <summary>Null if all of it holds; else the first thing that does not.</summary>
    public static string? Missing(SimWorld world)
    {
        SimNode[] live = [.. world.Nodes.Where(static n => !n.Gone)];
        string members = string.Join(' ', live.Select(static n => n.Id.ToString()).Order(StringComparer.Ordinal));
        foreach (SimNode node in live)
        {
            if (!node.Up || node.Paused)
            {
                return $"node {node.Number} is not up";
            }

            string seen = string.Join(
                ' ', node.Mind!.Gossip.Members.Where(static m => m.State is MemberState.Alive or MemberState.Suspect).Select(static m => m.Name));
            if (seen != members)
            {
                return $"node {node.Number} sees {seen}, not {members}";
            }

            if (node.Mind.Intent.Version != world.Manager.Store.Version)
            {
                return $"node {node.Number} has intent {node.Mind.Intent.Version}, not {world.Manager.Store.Version}";
            }
        }

        return Reservations(world, live)
            ?? live.Select(n => Health(n) ?? Names(n, live) ?? Kernel(n, live) ?? Mesh(n, live)).FirstOrDefault(static m => m is not null);
    }

    /// <summary>
    /// The first thing that is not as the truth of these nodes on one of them, but for the one whose agent is down.
    /// </summary>
    public static string? Changed(SimNode[] truth, SimNode agentless) => truth.Where(n => n != agentless)
        .Select(n => Names(n, truth) ?? Kernel(n, truth)).FirstOrDefault(static m => m is not null);

    /// <summary>The first node that does not know that this agent is down on a host that is up.</summary>
    public static string? Unheld(SimNode[] live, SimNode agentless) => live.Where(n => n != agentless)
        .Select(n => (n.Number, Presence: n.Mind!.Gossip.Find(agentless.Id.ToString())?.Presence))
        .Where(static p => p.Presence != Presence.AgentDown)
        .Select(static p => $"node {p.Number} takes it for {p.Presence}").FirstOrDefault();

    /// <summary>Whether both have endpoints on one network.</summary>
    public static bool Meet(SimNode one, SimNode other) => one.Mind!.Endpoints.Select(static e => e.Network)
        .Intersect(other.Mind!.Endpoints.Select(static e => e.Network)).Any();

    /// <summary>What, on this node, sends anybody anew to the other; null: nothing does.</summary>
    public static string? LeadsTo(SimNode node, SimNode other)
    {
        foreach (EndpointState endpoint in other.Mind!.Endpoints.Where(static e => !IsIngress(e)))
        {
            if (node.Mind!.SandboxZones().Values.SelectMany(static z => z).Where(z => z.Network == endpoint.Network)
                .Any(z => z.Endpoints.Any(e => e.Names.Contains(endpoint.Name))))
            {
                return $"node {node.Number} names {endpoint.Name} still";
            }

            foreach (NamespaceName sandbox in node.Mind.Endpoints.Where(e => e.Network == endpoint.Network).Select(static e => e.Sandbox).Distinct())
            {
                if (Balanced(node.Host.State.Namespaces[sandbox].NftTable ?? "").FirstOrDefault(line => IsIn(endpoint, line)) is { } line)
                {
                    return $"in {sandbox} on node {node.Number} is balanced {line}, which has {endpoint.Name}";
                }
            }
        }

        System.Net.IPAddress? entrance = other.Mind.Endpoints.FirstOrDefault(IsIngress)?.Ipv4;
        return entrance is not null && node.Mind!.Inputs().Ports.Any(p => p.Nodes.Any(n => n.Address.Equals(entrance)))
            ? $"node {node.Number} sends clients of ports there" : null;
    }

    private static bool IsIn(EndpointState endpoint, string line) => line[(line.IndexOf(": ", StringComparison.Ordinal) + 2)..].Split(' ')
        .Any(word => word == endpoint.Ipv4?.ToString() || word == endpoint.Ipv6?.ToString());

    /// <summary>Every reserved address is an endpoint's, and the other way round: none is lost, none unprotected.</summary>
    private static string? Reservations(SimWorld world, SimNode[] live)
    {
        string truth = Text(live.SelectMany(static n => n.Mind!.Endpoints.SelectMany(
            e => new[] { e.Reserved4 ? e.Ipv4 : null, e.Reserved6 ? e.Ipv6 : null }.OfType<System.Net.IPAddress>()
                .Select(a => $"{e.Network}/{a} {e.Id} {n.Id}"))));
        string kept = Text(world.Manager.Store.State.Reservations.Where(static r => r.ReleasedUnixMs == 0 && r.ServiceId.Length == 0)
            .Select(static r => $"{r.Id} {r.EndpointId} {r.NodeId}"));
        return truth == kept ? null : $"reserved are [{kept}], and used are [{truth}]";
    }

    /// <summary>Every node knows of its own backends what is so.</summary>
    private static string? Health(SimNode node) => node.Mind!.Endpoints
        .Where(e => e.Status == EndpointStatus.Ready && e.Health != TruthOf(node, e))
        .Select(e => $"backend {e.Id} on node {node.Number} counts as {e.Health}, and is {TruthOf(node, e)}").FirstOrDefault();

    private static EndpointHealth TruthOf(SimNode node, EndpointState endpoint) =>
        node.Mind!.ServiceOf(endpoint.Network, endpoint.Service) is not { } service
            || (service.Health is null && endpoint.HealthCommand.Length == 0) ? EndpointHealth.Unspecified
        : node.Host.Ill.Contains(endpoint.Sandbox) ? EndpointHealth.Unhealthy
        : EndpointHealth.Healthy;

    private static bool IsServing(EndpointState endpoint) => endpoint.Health is EndpointHealth.Unspecified or EndpointHealth.Healthy;

    /// <summary>The names of services that lead to it: none while it is not well.</summary>
    private static string ServiceNames(SimNode node, EndpointState endpoint) =>
        !IsServing(endpoint) || node.Mind!.ServiceOf(endpoint.Network, endpoint.Service) is not { } service ? ""
        : service.VirtualAddresses.Count > 0 ? $"tasks.{service.Name}"
        : $"{service.Name},tasks.{service.Name}";

    private static string? Names(SimNode node, SimNode[] live)
    {
        SortedSet<NetworkId> follows = [.. node.Mind!.Endpoints.Select(static e => e.Network)];
        if (node.Mind.FollowsEveryNetwork)
        {
            follows.UnionWith(node.Mind.Intent.Networks.Select(static n => NetworkId.Parse(n.Id)));
        }

        foreach (NetworkId network in follows)
        {
            string truth = Text(live.Where(n => n != node).SelectMany(n => Visible(n, network))
                .Select(static e => $"{e.Id} {e.Name} {e.Ipv4} {e.Ipv6} {e.Mac} {e.Health}"));
            string told = Text(node.Mind.RemotesOn(network).Select(static r => $"{r.Id} {r.Name} {r.Ipv4} {r.Ipv6} {r.Mac} {r.Health}"));
            if (truth != told)
            {
                return $"node {node.Number} was told of {network}: [{told}], and true is [{truth}]";
            }
        }

        foreach ((NamespaceName sandbox, var zones) in node.Mind.SandboxZones())
        {
            foreach (Dns.Zone zone in zones)
            {
                string truth = Text(live.SelectMany(n => Visible(n, zone.Network)).Select(e => $"{e.Name} {e.Ipv4} {e.Ipv6} {ServiceNames(node, e)}")
                    .Concat(VirtualOn(node, zone.Network).Select(static s =>
                        $"{s.Name} {Family(s, ipv6: false)} {Family(s, ipv6: true)} ")));
                string named = Text(zone.Endpoints.Select(static e => $"{e.Names[0]} {e.Ipv4} {e.Ipv6} {string.Join(',', e.Names.Skip(1))}"));
                if (truth != named)
                {
                    return $"the zone {zone.Name} of {sandbox} on node {node.Number} is [{named}], and true is [{truth}]";
                }
            }
        }

        return null;
    }

    private static string? Kernel(SimNode node, SimNode[] live)
    {
        Plan plan = node.Host.PlanFor(Desired.For(node.Mind!.Inputs()));
        if (plan.Operations.Length > 0 || plan.Unreachable.Count > 0)
        {
            return $"the kernel of node {node.Number} is not as wished: {plan}";
        }

        if (node.Mind.Endpoints.FirstOrDefault(static e => e.Status != EndpointStatus.Ready) is { } unready)
        {
            return $"endpoint {unready.Id} on node {node.Number} is {unready.Status}: {unready.Error}";
        }

        foreach (IGrouping<NamespaceName, EndpointState> sandbox in node.Mind.Endpoints.Where(static e => !IsIngress(e)).GroupBy(static e => e.Sandbox))
        {
            string truth = Text(sandbox.Select(static e => e.Network).Distinct()
                .SelectMany(network => VirtualOn(node, network).SelectMany(s => BalanceOf(s, live.SelectMany(n => Visible(n, network))))));
            string balanced = Text(Balanced(node.Host.State.Namespaces[sandbox.Key].NftTable ?? ""));
            if (truth != balanced)
            {
                return $"in {sandbox.Key} on node {node.Number} are balanced [{balanced}], and true is [{truth}]";
            }
        }

        foreach (NetworkId network in node.Mind.Endpoints.Select(static e => e.Network).Distinct())
        {
            NamespaceState inside = node.Host.State.Namespaces[Desired.NamespaceOf(network)];
            string entries = Text(inside.Fdb.Select(static f => $"{f.Mac} {f.Vtep}"));
            string truth = Text(live.Where(n => n != node).SelectMany(n => Visible(n, network).Select(e => $"{e.Mac} {n.Gossip.Address}")));
            if (entries != truth)
            {
                return $"the FDB of {network} on node {node.Number} is [{entries}], and true is [{truth}]";
            }
        }

        return null;
    }

    /// <summary>Every node is on the ingress network, and sends clients of ports of all nodes to just those that have backends.</summary>
    private static string? Mesh(SimNode node, SimNode[] live)
    {
        if (!node.Mind!.Intent.Networks.Any(static n => n.Ingress))
        {
            return node.Mind.Endpoints.Any(IsIngress) ? $"node {node.Number} is on an ingress network that is gone" : null;
        }

        if (!node.Mind.Endpoints.Any(IsIngress))
        {
            return $"node {node.Number} is not on the ingress network";
        }

        DataplaneInputs inputs = node.Mind.Inputs();
        foreach (ServiceObject service in node.Mind.Intent.Services.Where(static s => s.Ports.Any(static p => p.Mode == PublishMode.Ingress)))
        {
            string truth = Text(live.Where(n => n.Mind!.Endpoints.Any(e => IsBackend(e, service)))
                .Select(static n => $"{n.Mind!.Endpoints.First(IsIngress).Ipv4}"));
            string sent = Text(inputs.Ports.Single(p => p.Service == service.Name).Nodes.Select(static n => $"{n.Address}"));
            string here = Text(inputs.MeshPorts.Single(p => p.Service == service.Name).Backends.Select(static b => b.Sandbox.Value));
            string own = Text(node.Mind.Endpoints.Where(e => IsBackend(e, service)).Select(static e => e.Sandbox.Value));
            if (truth != sent || here != own)
            {
                return $"node {node.Number} sends clients of {service.Name} to [{sent}] and here to [{here}], and true is [{truth}], [{own}]";
            }
        }

        return null;
    }

    private static bool IsIngress(EndpointState endpoint) => endpoint.Sandbox == NamespaceName.Ingress;

    private static bool IsBackend(EndpointState endpoint, ServiceObject service) =>
        endpoint.Service?.ToString() == service.Id && endpoint.Network.ToString() == service.NetworkId
        && endpoint is { Status: EndpointStatus.Ready, GatewaySlot: > 0 } && IsServing(endpoint);

    private static IEnumerable<EndpointState> Visible(SimNode node, NetworkId network) =>
        node.Mind!.Endpoints.Where(e => e.Network == network && e.Status != EndpointStatus.Failed);

    private static IEnumerable<ServiceObject> VirtualOn(SimNode node, NetworkId network) =>
        node.Mind!.Intent.Services.Where(s => s.VirtualAddresses.Count > 0 && s.NetworkId == network.ToString());

    private static string Family(ServiceObject service, bool ipv6) =>
        service.VirtualAddresses.FirstOrDefault(a => a.Contains(':', StringComparison.Ordinal) == ipv6) ?? "";

    /// <summary>Each virtual address with the addresses of all backends that anybody has and that are well.</summary>
    private static IEnumerable<string> BalanceOf(ServiceObject service, IEnumerable<EndpointState> endpoints)
    {
        EndpointState[] backends = [.. endpoints.Where(e => e.Service?.ToString() == service.Id && IsServing(e))];
        return service.VirtualAddresses.Select(address => Line(address, backends
            .Select(b => address.Contains(':', StringComparison.Ordinal) ? b.Ipv6 : b.Ipv4).OfType<System.Net.IPAddress>().Select(static a => a.ToString())));
    }

    /// <summary>What a table says, read without the code that wrote it.</summary>
    private static IEnumerable<string> Balanced(string table)
    {
        string[] lines = table.Split('\n');
        foreach (string entry in lines.Where(static l => l.Contains("vmap", StringComparison.Ordinal))
            .SelectMany(static l => l.Split('{', '}')[1].Split(',')))
        {
            string[] words = entry.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            string rule = lines[Array.IndexOf(lines, $"\tchain {words[^1]} {{") + 1];
            yield return Line(words[0], rule.Split(' ', ',').Where(static word => word.Length > 1
                && (word.Contains('.', StringComparison.Ordinal) || word.Contains(':', StringComparison.Ordinal))));
        }
    }

    private static string Line(string address, IEnumerable<string> backends) =>
        $"{address}: {string.Join(' ', backends.Order(StringComparer.Ordinal))}";

    private static string Text(IEnumerable<string> lines) => string.Join("; ", lines.Order(StringComparer.Ordinal));
}
