using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Dataplane;

/// <summary>The table that balances a sandbox's services, and what a change of it does to flows.</summary>
public sealed class ServiceTableTests
{
    public static readonly NamespaceName Box = Scene.Fixed.Endpoints[0].Sandbox;

    private static readonly NetworkId Green = new(0x4444_4444_4444_4444);

    [Fact]
    public void Every_service_is_one_rule_of_each_family_found_through_one_map()
    {
        VirtualService weighted = Web((20, 1), (30, 2), (31, 3));
        VirtualService single = Web((30, 7)) with { Name = "one", Ipv4 = IPAddress.Parse("10.0.0.126"), Ipv6 = null };
        Assert.Equal(
            """
            table inet overlayd {
            	chain output {
            		type nat hook output priority -85; policy accept;
            		ct state new goto services
            	}

            	chain prerouting {
            		type nat hook prerouting priority -85; policy accept;
            		ct state new goto services
            	}

            	chain refused {
            		meta l4proto tcp reject with tcp reset
            		reject
            	}

            	chain services {
            		ip daddr vmap { 10.0.0.126 : goto vip4-one, 10.0.0.127 : goto vip4-web }
            		ip6 daddr vmap { fd00::ffff : goto vip6-web }
            	}

            	chain vip4-one {
            		dnat ip to 10.0.0.30
            	}

            	chain vip4-web {
            		dnat ip to numgen random mod 6 map { 0 : 10.0.0.20, 1-2 : 10.0.0.30, 3-5 : 10.0.0.31 }
            	}

            	chain vip6-web {
            		dnat ip6 to numgen random mod 6 map { 0 : fd00::14, 1-2 : fd00::1e, 3-5 : fd00::1f }
            	}
            }

            """,
            TableOf(weighted, single));
    }

    [Fact]
    public void Clients_that_are_to_come_back_are_known_by_a_set_of_their_backend_and_flows_by_a_time_of_their_protocol()
    {
        VirtualService sticky = Web((30, 1), (31, 1)) with
        {
            Ipv4 = null,
            Flows = new(TimeSpan.FromSeconds(5425), TimeSpan.FromHours(2), TimeSpan.FromSeconds(90), TimeSpan.FromSeconds(40)),
        };
        string table = TableOf(sticky)!;
        const string Parts = """
            	chain vip6-web {
            		meta l4proto tcp ct timeout set "vip6-web.ip6.tcp"
            		meta l4proto udp ct timeout set "vip6-web.ip6.udp"
            		ip6 saddr @vip6-web.fd00..1e goto vip6-web.fd00..1e
            		ip6 saddr @vip6-web.fd00..1f goto vip6-web.fd00..1f
            		numgen inc mod 2 vmap { 0 : goto vip6-web.fd00..1e, 1 : goto vip6-web.fd00..1f }
            	}

            	chain vip6-web.fd00..1e {
            		update @vip6-web.fd00..1e { ip6 saddr }
            		dnat ip6 to fd00::1e
            	}

            	ct timeout vip6-web.ip6.tcp {
            		protocol tcp
            		l3proto ip6
            		policy = { established : 7200, fin_wait : 90, close_wait : 90, last_ack : 90 }
            	}

            	ct timeout vip6-web.ip6.udp {
            		protocol udp
            		l3proto ip6
            		policy = { unreplied : 40, replied : 40 }
            	}

            	set vip6-web.fd00..1e {
            		type ipv6_addr
            		size 65535
            		flags dynamic,timeout
            		timeout 1h30m25s
            	}

            """;
        Assert.All(
            Parts.Replace("\r", "", StringComparison.Ordinal).Split("\n\n"),
            part => Assert.Contains(part.TrimEnd('\n'), table, StringComparison.Ordinal));
        Assert.Equal(["fd00::1e", "fd00::1f"], BackendsOf(table, "fd00::ffff"));
        // One alone is remembered, too: others may come.
        string one = TableOf(sticky with { Backends = [sticky.Backends[0]] })!;
        Assert.Contains("\tchain vip6-web {\n\t\tmeta", one, StringComparison.Ordinal);
        Assert.Contains("\t\tgoto vip6-web.fd00..1e\n", one, StringComparison.Ordinal);
        Assert.Contains("update @vip6-web.fd00..1e", one, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_services_there_is_no_table_and_on_other_networks_neither()
    {
        Assert.Null(TableOf());
        Assert.Null(TableOf(Web((30, 1)) with { Network = Green }));
    }

    [Fact]
    public void Without_backends_it_is_refused_at_once_and_of_one_family_alone()
    {
        string table = TableOf(Web() with { Backends = [new(IPAddress.Parse("10.0.0.30"), null, 1)] })!;
        Assert.Contains("ip daddr vmap { 10.0.0.127 : goto vip4-web }", table, StringComparison.Ordinal);
        Assert.Contains("ip6 daddr vmap { fd00::ffff : goto refused }", table, StringComparison.Ordinal);
        Assert.DoesNotContain("vip6-web", table, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Scheduler.Wrr, "numgen random mod 3 map { 0-1 : 10.0.0.30, 2 : 10.0.0.31 }")]
    [InlineData(Scheduler.Unspecified, "numgen random mod 3 map { 0-1 : 10.0.0.30, 2 : 10.0.0.31 }")]
    [InlineData((Scheduler)99, "numgen random mod 3 map { 0-1 : 10.0.0.30, 2 : 10.0.0.31 }")]
    [InlineData(Scheduler.Sh, "jhash ip saddr mod 3 seed 0x1 map { 0-1 : 10.0.0.30, 2 : 10.0.0.31 }")]
    [InlineData(Scheduler.Rr, "numgen inc mod 2 map { ")]
    public void The_scheduler_decides_who_is_next(Scheduler scheduler, string rule) => Assert.Contains(
        $"dnat ip to {rule}", TableOf(Web((30, 1000), (31, 500)) with { Scheduler = scheduler })!, StringComparison.Ordinal);

    [Fact]
    public void Equal_backends_take_turns_and_begin_elsewhere_in_every_sandbox_and_table()
    {
        SortedSet<string> beginnings = new(StringComparer.Ordinal);
        for (ulong id = 1; id < 40; id++)
        {
            DataplaneInputs inputs = Scene.Fixed with
            {
                Endpoints = [Scene.Fixed.Endpoints[0] with { Id = new(id << 32) }],
                Services = [Web((30, 4), (31, 4), (32, 4))],
            };
            string table = Desired.For(inputs).Namespaces[Box].NftTable!;
            Assert.Contains("numgen inc mod 3 map { 0 : ", table, StringComparison.Ordinal);
            Assert.Equal(["10.0.0.30", "10.0.0.31", "10.0.0.32"], BackendsOf(table, "10.0.0.127"));
            beginnings.Add(table.Split("map { 0 : ")[1].Split(',')[0]);
            Assert.Equal(table, Desired.For(inputs).Namespaces[Box].NftTable);
        }

        Assert.Equal(3, beginnings.Count);
    }

    [Fact]
    public void The_largest_weights_fit_and_ranges_cover_every_number_once()
    {
        Prng prng = new(3);
        for (int round = 0; round < 200; round++)
        {
            (int, int)[] backends = [.. Enumerable.Range(2, 1 + prng.Next(40)).Select(h => (h, 1 + prng.Next(65535)))];
            string rule = TableOf(Web(backends))!.Split('\n').Single(static l => l.Contains("dnat ip to", StringComparison.Ordinal));
            if (backends.Length == 1)
            {
                continue;
            }

            long total = long.Parse(rule.Split(" mod ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
            Assert.InRange(total, backends.Length, uint.MaxValue);
            long next = 0;
            foreach (string element in rule.Split('{')[1].TrimEnd('}', ' ').Split(','))
            {
                long[] ends = [.. element.Split(" : ")[0].Split('-').Select(long.Parse)];
                Assert.Equal(next, ends[0]);
                next = ends[^1] + 1;
            }

            Assert.Equal(total, next);
        }
    }

    [Fact]
    public void A_sandbox_on_two_networks_has_the_services_of_both()
    {
        DataplaneInputs inputs = TwoNetworks();
        string table = Desired.For(inputs).Namespaces[Box].NftTable!;
        Assert.Contains("ip daddr vmap { 10.0.0.127 : goto vip4-web, 10.0.2.127 : goto vip4-api }", table, StringComparison.Ordinal);
        string other = Desired.For(inputs with { Endpoints = [inputs.Endpoints[1]] }).Namespaces[Box].NftTable!;
        Assert.DoesNotContain("10.0.0.127", other, StringComparison.Ordinal);
        Assert.Contains("10.0.2.127", other, StringComparison.Ordinal);
    }

    [Fact]
    public void Addresses_are_written_as_the_kernel_writes_them()
    {
        string table = TableOf(Web() with
        {
            Ipv6 = IPAddress.Parse("fd00::5efe:a00:1"),
            Backends = [new(null, IPAddress.Parse("fd00:0:1:0:0:1:0:0"), 1), new(null, IPAddress.Parse("2001:db8:0:1:1:1:1:1"), 1)],
        })!;
        Assert.Contains("{ fd00::5efe:a00:1 : ", table, StringComparison.Ordinal);
        Assert.Contains(" : fd00:0:1::1:0:0", table, StringComparison.Ordinal);
        Assert.Contains(" : 2001:db8:0:1:1:1:1:1", table, StringComparison.Ordinal);
    }

    [Fact]
    public void What_was_written_is_read_and_what_others_wrote_is_not()
    {
        VirtualService empty = Web() with { Name = "none", Ipv4 = IPAddress.Parse("10.0.0.9"), Ipv6 = null };
        SortedDictionary<IPAddress, SortedSet<IPAddress>> read = ServiceTable.Read(TableOf(Web((30, 1), (31, 5)), empty));
        Assert.Equal(["10.0.0.9", "10.0.0.127", "fd00::ffff"], read.Keys.Select(static a => a.ToString()));
        Assert.Empty(read[IPAddress.Parse("10.0.0.9")]);
        Assert.Equal(["10.0.0.30", "10.0.0.31"], read[IPAddress.Parse("10.0.0.127")].Select(static a => a.ToString()));
        Assert.Equal(["fd00::1e", "fd00::1f"], read[IPAddress.Parse("fd00::ffff")].Select(static a => a.ToString()));
        foreach (string? table in new[] { null, "", "table inet overlayd {\n}\n", Desired.For(Scene.Fixed).Namespaces[NamespaceName.Host].NftTable })
        {
            Assert.Empty(ServiceTable.Read(table));
            Assert.False(ServiceTable.IsOne(table));
        }

        string whole = TableOf(Web((30, 1), (31, 5)), empty)!;
        for (int length = 0; length < whole.Length; length++)
        {
            ServiceTable.Read(whole[..length]);
            ServiceTable.Read(whole[..length] + "}{" + whole[length..]);
        }
    }

    [Fact]
    public void Flows_are_forgotten_where_backends_go_and_where_an_address_is_new()
    {
        ModelKernel kernel = new();
        kernel.Change(Box, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        Assert.Equal(
            [$"{Box}: nft replace table inet overlayd", $"{Box}: conntrack delete to 10.0.0.127 but 10.0.0.30 10.0.0.31, to fd00::ffff but fd00::1e fd00::1f"],
            Changes(kernel, Web((30, 1), (31, 1))));
        Assert.Empty(Changes(kernel, Web((30, 1), (31, 1))));
        Assert.Equal([$"{Box}: nft replace table inet overlayd"], Changes(kernel, Web((30, 1), (31, 1), (32, 1))));
        Assert.Equal([$"{Box}: nft replace table inet overlayd"], Changes(kernel, Web((30, 1), (31, 9), (32, 1))));
        Assert.Equal(
            [$"{Box}: nft replace table inet overlayd", $"{Box}: conntrack delete to 10.0.0.127 but 10.0.0.30, to fd00::ffff but fd00::1e"],
            Changes(kernel, Web((30, 1))));
        Assert.Equal(
            [$"{Box}: nft replace table inet overlayd", $"{Box}: conntrack delete all to 10.0.0.127, all to fd00::ffff"],
            Changes(kernel, Web()));
        Assert.Equal([$"{Box}: nft delete table inet overlayd"], Changes(kernel));
    }

    [Fact]
    public void What_is_left_of_a_sandbox_that_has_no_endpoint_any_more_goes()
    {
        ModelKernel kernel = new();
        kernel.Change(Box, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        NamespaceState before = kernel.State.Namespaces[Box];
        Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(Scene.Fixed with { Services = [Web((30, 1))] }))));
        DataplaneInputs left = Scene.Fixed with { Endpoints = [], LeftSandboxes = [Box] };
        Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(left))));
        NamespaceState after = kernel.State.Namespaces[Box];
        Assert.Null(after.NftTable);
        Assert.Equal(before.Links, after.Links);
        Assert.Equal(before.Addresses, after.Addresses);
        Assert.Empty(after.Routes);
        Plan again = kernel.PlanFor(Desired.For(left with { LeftSandboxes = [Box, new("/run/netns/gone")] }));
        Assert.Empty(again.Operations);
    }

    [Fact]
    public void The_table_of_an_agent_inside_the_sandbox_stays()
    {
        ModelKernel kernel = new();
        string inner = Desired.For(Scene.Fixed).Namespaces[NamespaceName.Host].NftTable!;
        kernel.Change(Box, _ => Scene.Strangers("dock0", LinkKind.Veth) with { NftTable = inner });
        Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(Scene.Fixed))));
        Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(Scene.Fixed with { Endpoints = [], LeftSandboxes = [Box] }))));
        Assert.Equal(inner, kernel.State.Namespaces[Box].NftTable);
    }

    public static VirtualService Web(params (int Host, int Weight)[] backends) => new()
    {
        Network = Scene.Red,
        Name = "web",
        Ipv4 = IPAddress.Parse("10.0.0.127"),
        Ipv6 = IPAddress.Parse("fd00::ffff"),
        Backends =
        [
            .. backends.Select(static b => new ServiceBackend(
                IPAddress.Parse($"10.0.0.{b.Host}"), IPAddress.Parse($"fd00::{b.Host:x}"), b.Weight)),
        ],
    };

    private static string? TableOf(params VirtualService[] services) =>
        Desired.For(Scene.Fixed with { Services = [.. services] }).Namespaces[Box].NftTable;

    private static string[] BackendsOf(string table, string address) =>
        [.. ServiceTable.Read(table)[IPAddress.Parse(address)].Select(static a => a.ToString())];

    /// <summary>Another wish, its plan for tables and flows executed.</summary>
    private static string[] Changes(ModelKernel kernel, params VirtualService[] services)
    {
        Plan plan = kernel.PlanFor(Desired.For(Scene.Fixed with { Services = [.. services] }));
        Assert.Empty(kernel.Execute(plan));
        return
        [
            .. plan.Operations.Where(static o => o.Namespace == Box
                && o is Operation.ReplaceNftTable or Operation.DeleteNftTable or Operation.ForgetFlows).Select(static o => o.ToString()),
        ];
    }

    private static DataplaneInputs TwoNetworks() => Scene.Fixed with
    {
        Networks = [.. Scene.Fixed.Networks, new() { Id = Green, Name = "green", Segments = [Scene.Segment(2)] }],
        Endpoints =
        [
            Scene.Fixed.Endpoints[0],
            Scene.Local(0x5555_5555_5555_5555, Green, 0, 2, 20, "web") with { Interface = "eth1", GatewaySlot = 2 },
        ],
        Services =
        [
            Web((30, 1)),
            Web((30, 1)) with { Network = Green, Name = "api", Ipv4 = IPAddress.Parse("10.0.2.127"), Ipv6 = null },
        ],
    };
}
