using System.Collections.Immutable;
using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Dataplane;

/// <summary>Virtual addresses by IPVS: marks and services of a sandbox, and what a change of them does to connections.</summary>
public sealed class IpvsServicesTests
{
    private static readonly NamespaceName Box = ServiceTableTests.Box;

    [Fact]
    public void A_service_is_two_of_each_family_found_by_marks_that_nftables_gives()
    {
        NamespaceState box = Wish(Web((30, 1), (31, 2))).Namespaces[Box];
        Assert.Equal(
            ["ipv6 wrr to fd00::1e*1 fd00::1f*2", "ipv6 wrr to fd00::1e*1 fd00::1f*2", "wrr to 10.0.0.30*1 10.0.0.31*2", "wrr to 10.0.0.30*1 10.0.0.31*2"],
            box.Ipvs.Values.Select(static s => s.ToString().Split(' ', 3)[2]).Order(StringComparer.Ordinal));
        Assert.All(box.Ipvs, static s => Assert.True(IpvsServices.IsOurs(s.Key) && s.Key == s.Value.Mark));
        uint udp = box.Ipvs.Values.Single(static s => s is { IsIpv6: false, HasConnections: false }).Mark;
        uint tcp = box.Ipvs.Values.Single(static s => s is { IsIpv6: false, HasConnections: true }).Mark;
        foreach (string part in new[]
        {
            "\tchain output {\n\t\ttype filter hook output priority mangle; policy accept;\n\t\tct state new goto marks\n\t}\n",
            "\tchain marks {\n\t\tip daddr vmap { 10.0.0.127 : goto mark4-web }\n\t\tip6 daddr vmap { fd00::ffff : goto mark6-web }\n\t}\n",
            $"\tchain mark4-web {{\n\t\tmeta l4proto udp meta mark set 0x{udp:x8}\n\t\tmeta l4proto {{ tcp, sctp }} meta mark set 0x{tcp:x8}\n\t}}\n",
            // Pings, and what passes through, are not IPVS's.
            "\tchain others {\n\t\ttype nat hook output priority -85; policy accept;\n"
                + "\t\tct state new goto services\n\t}\n",
            "\tchain prerouting {\n\t\ttype nat hook prerouting priority -85; policy accept;\n\t\tct state new goto services\n\t}\n",
            "\tchain vip4-web {\n\t\tdnat ip to ",
        })
        {
            Assert.Contains(part, box.NftTable, StringComparison.Ordinal);
        }

        Assert.Equal(["10.0.0.30", "10.0.0.31"], ServiceTable.Read(box.NftTable)[IPAddress.Parse("10.0.0.127")].Select(static a => a.ToString()));
        Assert.Equal("1", box.Sysctls["net/ipv4/vs/conntrack"]);
        Assert.Equal(new IpvsTimeouts(432_000, 120, 300), box.IpvsTimeouts);
    }

    [Fact]
    public void A_backend_that_may_ask_itself_is_left_to_nftables()
    {
        int own = Scene.Fixed.Endpoints[0].Ipv4!.GetAddressBytes()[3];
        VirtualService others = Web((31, 1)) with { Name = "api", Ipv4 = IPAddress.Parse("10.0.0.126"), Ipv6 = null };
        NamespaceState box = Wish(Web((own, 1), (31, 1)), others).Namespaces[Box];
        Assert.Equal(["wrr to 10.0.0.31*1"], box.Ipvs.Values.Where(static s => !s.IsIpv6).Select(static s => s.ToString().Split(' ', 3)[2]).Distinct());
        Assert.Contains("\tchain marks {\n\t\tip daddr vmap { 10.0.0.126 : goto mark4-api }\n", box.NftTable, StringComparison.Ordinal);
        Assert.Contains("\t\tip daddr vmap { 10.0.0.126 : goto vip4-api, 10.0.0.127 : goto vip4-web }\n", box.NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_backends_it_is_refused_and_has_no_service()
    {
        NamespaceState box = Wish(Web()).Namespaces[Box];
        Assert.Empty(box.Ipvs);
        Assert.Contains("chain marks {\n\t\tip daddr vmap { 10.0.0.127 : goto refused }", box.NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void Schedulers_stickiness_and_the_longest_times_are_the_kernels()
    {
        VirtualService sticky = Web((30, 1)) with
        {
            Scheduler = Scheduler.Wlc,
            Flows = new(TimeSpan.FromMinutes(10), TimeSpan.FromDays(7), default, TimeSpan.FromSeconds(1000)),
        };
        NamespaceState box = Wish(sticky, Web((31, 1)) with { Name = "api", Ipv4 = IPAddress.Parse("10.0.0.126"), Ipv6 = null, Scheduler = Scheduler.Mh })
            .Namespaces[Box];
        Assert.Equal(4, box.Ipvs.Values.Count(static s => s is { Scheduler: "wlc", Sticky: 600 }));
        Assert.Equal(2, box.Ipvs.Values.Count(static s => s is { Scheduler: "mh", Sticky: 0 }));
        Assert.Equal(new IpvsTimeouts(7 * 86_400, 120, 1000), box.IpvsTimeouts);
    }

    [Fact]
    public void Marks_of_many_services_differ_and_stay_when_others_come()
    {
        VirtualService[] many =
        [
            .. Enumerable.Range(0, 5000).Select(static i => Web((30, 1)) with { Name = $"s{i:d4}", Ipv4 = new([10, 1, (byte)(i >> 8), (byte)i]), Ipv6 = null }),
        ];
        var all = Services(many);
        Assert.Equal(10_000, all.Count);
        IEnumerable<uint> first = Services(many[..1]).Keys;
        Assert.Equal(first, Services(many[0], many[4999]).Keys.Intersect(first));
    }

    [Fact]
    public void Who_leaves_gets_nothing_new_and_goes_when_nobody_is_left_there_but_datagrams_go_at_once()
    {
        ModelKernel kernel = Kernel();
        Assert.Empty(kernel.Execute(kernel.PlanFor(Wish(Web((30, 1), (31, 1))))));
        HostState fewer = Wish(Web((30, 1)));
        Plan plan = kernel.PlanFor(fewer);
        string[] changes =
        [
            .. plan.Operations.OfType<Operation.SetIpvsService>().Select(static o => o.ToString().Split(" to ")[1]).Order(StringComparer.Ordinal),
        ];
        Assert.Equal(
            ["10.0.0.30*1 10.0.0.31*0", "10.0.0.30*1 without 10.0.0.31", "fd00::1e*1 fd00::1f*0", "fd00::1e*1 without fd00::1f"], changes);
        Assert.Empty(kernel.Execute(plan));

        // As long as it is not known who is there, and as long as somebody is.
        Assert.Empty(kernel.PlanFor(fewer).Operations);
        Assert.Empty(Planner.Plan(fewer, Observed(kernel.State, 3)).Operations);
        Operation[] last = [.. Planner.Plan(fewer, Observed(kernel.State, 0)).Operations];
        Assert.Equal(
            ["10.0.0.30*1 without 10.0.0.31", "fd00::1e*1 without fd00::1f"],
            last.Select(static o => o.ToString().Split(" to ")[1]).Order(StringComparer.Ordinal));

        // It is wanted again before that.
        Assert.Equal(4, kernel.PlanFor(Wish(Web((30, 1), (31, 1)))).Operations.OfType<Operation.SetIpvsService>().Count());
        Assert.Empty(kernel.Execute(kernel.PlanFor(Wish(Web((30, 1), (31, 1))))));
        Assert.All(kernel.State.Namespaces[Box].Ipvs.Values, static s => Assert.DoesNotContain(s.Destinations, static d => d.Weight == 0));
    }

    [Fact]
    public void With_nftables_again_or_without_services_nothing_of_it_is_left()
    {
        foreach (DataplaneInputs after in new[]
        {
            Inputs(Web((30, 1))) with { LoadBalancer = LoadBalancer.Nftables }, Inputs(), Inputs() with { Endpoints = [], LeftSandboxes = [Box] },
        })
        {
            ModelKernel kernel = Kernel();
            Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(Inputs(Web((30, 1)))))));
            Assert.Equal(4, kernel.State.Namespaces[Box].Ipvs.Count);
            Plan plan = kernel.PlanFor(Desired.For(after));
            Operation[] all = [.. plan.Operations.Where(static o => o.Namespace == Box)];
            // Its table no longer leads there when a service goes.
            Assert.True(
                Array.FindIndex(all, static o => o is Operation.ReplaceNftTable or Operation.DeleteNftTable)
                    < Array.FindIndex(all, static o => o is Operation.DeleteIpvsService));
            Assert.Empty(kernel.Execute(plan));
            Assert.Empty(kernel.State.Namespaces[Box].Ipvs);
        }
    }

    /// <summary>As a look at the kernel finds it: each destination with so many connections.</summary>
    private static HostState Observed(HostState state, long connections) => state with
    {
        Namespaces = state.Namespaces.SetItem(Box, state.Namespaces[Box] with
        {
            Ipvs = state.Namespaces[Box].Ipvs.ToImmutableSortedDictionary(
                static s => s.Key, s => s.Value with { Destinations = [.. s.Value.Destinations.Select(d => d with { Connections = connections })] }),
        }),
    };

    private static ImmutableSortedDictionary<uint, IpvsService> Services(params VirtualService[] services) =>
        IpvsServices.Of(services, new SortedSet<IPAddress>(AddressOrder.Instance)).Services;

    private static ModelKernel Kernel()
    {
        ModelKernel kernel = new();
        kernel.Change(Box, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        return kernel;
    }

    private static VirtualService Web(params (int Host, int Weight)[] backends) => ServiceTableTests.Web(backends);

    private static DataplaneInputs Inputs(params VirtualService[] services) =>
        Scene.Fixed with { Services = [.. services], LoadBalancer = LoadBalancer.Ipvs };

    private static HostState Wish(params VirtualService[] services) => Desired.For(Inputs(services));
}
