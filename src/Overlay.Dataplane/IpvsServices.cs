using System.Collections.Immutable;
using System.Net;
using System.Text;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Dataplane;

/// <summary>
/// The virtual addresses of services in a sandbox whose kernel has IPVS: a chain of nftables marks the first packet of a flow to one,
/// before IPVS sees it, by a mark for datagrams and one for what has connections. What passes through a sandbox, as from a machine
/// inside, is translated by <see cref="ServiceTable"/>'s chains: IPVS takes it for another host's. What IPVS has translated they do
/// not know any more.
/// </summary>
public static class IpvsServices
{
    /// <summary>Ours have these eight bits.</summary>
    internal const uint Marks = 0x6f00_0000;

    private const uint MarkMask = 0xff00_0000;

    /// <summary>Five days, as conntrack has it: with IPVS's own quarter of an hour idle connections would end.</summary>
    private const int Tcp = 432_000;

    private const int TcpFin = 120;
    private const int Udp = 300;

    /// <summary>Whether a mark is one of ours.</summary>
    public static bool IsOurs(uint mark) => (mark & MarkMask) == Marks;

    /// <summary>
    /// conntrack: the flows are tracked, as those of nftables are. expire_nodest_conn: a flow whose destination was deleted is given
    /// another one. expire_quiescent_template: a client does not come back to a destination of weight 0.
    /// </summary>
    internal static readonly ImmutableArray<string> Sysctls =
        ["net/ipv4/vs/conntrack", "net/ipv4/vs/expire_nodest_conn", "net/ipv4/vs/expire_quiescent_template"];

    /// <param name="services">Those of one sandbox, in the order of their names.</param>
    /// <param name="own">The sandbox's addresses. Of what IPVS sends there the kernel keeps the route to the virtual address, which leads nowhere: a
    /// service whose backend asks itself is left to nftables.</param>
    internal static MarkedServices Of(IReadOnlyList<VirtualService> services, IReadOnlySet<IPAddress> own)
    {
        var all = ImmutableSortedDictionary.CreateBuilder<uint, IpvsService>();
        StringBuilder chains = new();
        SortedSet<string> marked = new(StringComparer.Ordinal);
        // Pings and the like, which IPVS does not know, and services that it does not have.
        NftPart.Chain("others", $"type nat hook output priority {ServiceTable.Priority}; policy accept;", "ct state new goto services").AppendTo(chains);
        foreach (VirtualService service in services)
        {
            foreach (bool ipv6 in new[] { false, true })
            {
                ImmutableSortedSet<IpvsDestination> destinations = DestinationsOf(service, ipv6);
                if ((ipv6 ? service.Ipv6 : service.Ipv4) is null || destinations.IsEmpty || destinations.Any(d => own.Contains(d.Address)))
                {
                    continue;
                }

                uint datagrams = Add(service, ipv6, hasConnections: false, destinations);
                uint connections = Add(service, ipv6, hasConnections: true, destinations);
                marked.Add(ChainOf(service.Name, ipv6));
                NftPart.Chain(
                    ChainOf(service.Name, ipv6), $"meta l4proto udp meta mark set 0x{datagrams:x8}",
                    $"meta l4proto {{ tcp, sctp }} meta mark set 0x{connections:x8}").AppendTo(chains);
            }
        }

        return new(all.ToImmutable(), chains.ToString(), marked);

        uint Add(VirtualService service, bool ipv6, bool hasConnections, ImmutableSortedSet<IpvsDestination> destinations)
        {
            string key = $"{service.Name} {(ipv6 ? 6 : 4)} {(hasConnections ? "connections" : "datagrams")}";
            uint mark = Marks | ((uint)StableHash.Of(key) & ~MarkMask);
            while (all.ContainsKey(mark))
            {
                mark = Marks | ((mark + 1) & ~MarkMask);
            }

            all[mark] = new(mark, ipv6, SchedulerOf(service.Scheduler), (int)service.Flows.Sticky.TotalSeconds)
            {
                Destinations = destinations,
                HasConnections = hasConnections,
            };
            return mark;
        }
    }

    /// <summary>The chain that marks flows to a service's address of that family.</summary>
    internal static string ChainOf(string service, bool ipv6) => $"{(ipv6 ? "mark6" : "mark4")}-{service}";

    /// <summary>One time for all services of a namespace: the longest that one asks for.</summary>
    internal static IpvsTimeouts TimeoutsOf(IReadOnlyCollection<VirtualService> services)
    {
        return new(Longest(Tcp, static f => f.Tcp), Longest(TcpFin, static f => f.TcpFin), Longest(Udp, static f => f.Udp));

        int Longest(int least, Func<FlowPolicy, TimeSpan> time) =>
            services.Select(s => (int)time(s.Flows).TotalSeconds).Append(least).Max();
    }

    private static ImmutableSortedSet<IpvsDestination> DestinationsOf(VirtualService service, bool ipv6) =>
    [
        .. service.Backends.Select(b => (Address: ipv6 ? b.Ipv6 : b.Ipv4, b.Weight)).Where(static b => b.Address is not null)
            .OrderBy(static b => b.Address!, AddressOrder.Instance).DistinctBy(static b => b.Address)
            .Select(static b => new IpvsDestination(b.Address!, b.Weight)),
    ];

    private static string SchedulerOf(Scheduler scheduler) => scheduler switch
    {
        Scheduler.Rr => "rr",
        Scheduler.Sh => "sh",
        Scheduler.Lc => "lc",
        Scheduler.Wlc => "wlc",
        Scheduler.Mh => "mh",
        _ => "wrr",
    };
}

/// <param name="Chains">Those that mark, each behind a blank line.</param>
/// <param name="Marked">Their names, as <see cref="IpvsServices.ChainOf"/> has them.</param>
internal sealed record MarkedServices(ImmutableSortedDictionary<uint, IpvsService> Services, string Chains, SortedSet<string> Marked);
