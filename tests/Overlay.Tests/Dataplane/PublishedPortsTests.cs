using System.Net;
using Overlay.Dataplane;
using Overlay.V1;

namespace Overlay.Tests.Dataplane;

/// <summary>Published ports: the host's table, the way back out of a sandbox, and what is forgotten when backends go.</summary>
public sealed class PublishedPortsTests
{
    private static readonly NamespaceName Web = Scene.Fixed.Endpoints[0].Sandbox;

    internal static HostPort Http { get; } = new()
    {
        Service = "web",
        Protocol = PortProtocol.Tcp,
        Published = 80,
        Target = 8080,
        Backends = [new(Web, 1)],
    };

    [Fact]
    public void The_host_translates_and_the_sandbox_answers_by_the_bridge()
    {
        HostState wish = WishOf(Http, Http with { Protocol = PortProtocol.Udp, Published = 53, Target = 53, Address = IPAddress.Parse("192.0.2.1") });
        NamespaceState host = wish.Namespaces[NamespaceName.Host];
        const string Chains = """
            	chain output {
            		type nat hook output priority -85; policy accept;
            		fib daddr type local goto published
            	}

            	chain prerouting {
            		type nat hook prerouting priority -85; policy accept;
            		iifname != "ovgw0" fib daddr type local goto published
            	}

            	chain published {
            		ip daddr 192.0.2.1 udp dport 53 goto udp-53-53-web
            		tcp dport vmap { 80 : goto tcp-80-8080-web }
            	}

            	chain tcp-80-8080-web {
            		meta l4proto tcp dnat ip to 172.30.0.2:8080
            	}

            	chain udp-53-53-web {
            		meta l4proto udp dnat ip to 172.30.0.2:53
            	}

            """;
        Assert.All(
            Chains.Replace("\r", "", StringComparison.Ordinal).Split("\n\n"),
            chain => Assert.Contains(chain, host.NftTable, StringComparison.Ordinal));
        Assert.Equal("1", host.Sysctls["net/ipv4/conf/ovgw0/route_localnet"]);
        NamespaceState web = wish.Namespaces[Web];
        Assert.Equal("from 172.30.0.2/32 table 79 priority 7900", Assert.Single(web.Rules).ToString());
        Assert.Contains("0.0.0.0/0 via 172.30.0.1 dev ovgw metric 1024 table 79", web.Routes.Select(static r => r.ToString()));
    }

    [Fact]
    public void Clients_by_IPv6_go_between_addresses_of_their_own()
    {
        HostPort both = Http with { Families = IpFamilies.Ipv4 | IpFamilies.Ipv6, TranslatesSource = true };
        HostState wish = WishOf(both, Http with { Published = 81, Address = IPAddress.Parse("2001:db8::1"), Families = IpFamilies.Ipv6 });
        NamespaceState host = wish.Namespaces[NamespaceName.Host];
        const string Chains = """
            	chain published {
            		ip6 daddr ::1 return
            		ip6 daddr fe80::/10 return
            		ip6 daddr 2001:db8::1 tcp dport 81 goto tcp-81-8080-web
            		tcp dport vmap { 80 : goto tcp-80-8080-web }
            	}

            	chain tcp-80-8080-web {
            		meta l4proto tcp dnat ip to 172.30.0.2:8080
            		meta l4proto tcp dnat ip6 to [fd4f:7665:726c:6179::ac1e:2]:8080
            	}

            	chain tcp-81-8080-web {
            		meta l4proto tcp dnat ip6 to [fd4f:7665:726c:6179::ac1e:2]:8080
            	}

            """;
        Assert.All(
            Chains.Replace("\r", "", StringComparison.Ordinal).Split("\n\n"),
            chain => Assert.Contains(chain, host.NftTable, StringComparison.Ordinal));
        Assert.Contains(
            "\t\tip6 daddr fd4f:7665:726c:6179::ac1e:2 tcp dport 8080 ct original proto-dst 80 masquerade\n", host.NftTable, StringComparison.Ordinal);
        Assert.Contains("fd4f:7665:726c:6179::ac1e:1/112 dev ovgw0", host.Addresses.Select(static a => a.ToString()));
        Assert.Contains("fe80::ac1e:1/64 dev ovgw0", host.Addresses.Select(static a => a.ToString()));
        Assert.Equal("1", host.Sysctls["net/ipv6/conf/all/forwarding"]);
        NamespaceState web = wish.Namespaces[Web];
        Assert.Contains("fd4f:7665:726c:6179::ac1e:2/128 dev ovgw", web.Addresses.Select(static a => a.ToString()));
        Assert.Contains("from fd4f:7665:726c:6179::ac1e:2/128 table 79 priority 7900", web.Rules.Select(static r => r.ToString()));
        Assert.Contains("::/0 via fd4f:7665:726c:6179::ac1e:1 dev ovgw metric 1024 table 79", web.Routes.Select(static r => r.ToString()));
        Assert.Equal("0", web.Sysctls["net/ipv6/conf/ovgw/disable_ipv6"]);
        Assert.Equal(
            ["6/80 172.30.0.2:8080 [fd4f:7665:726c:6179::ac1e:2]:8080", "6/81 [fd4f:7665:726c:6179::ac1e:2]:8080"],
            PublishedPorts.Read(host.NftTable).Select(static p => $"{p.Key.Protocol}/{p.Key.Port} {string.Join(' ', p.Value)}"));
    }

    [Fact]
    public void Who_comes_again_gets_the_same_backend_by_each_family()
    {
        HostPort sticky = Http with
        {
            Families = IpFamilies.Ipv4 | IpFamilies.Ipv6,
            Backends = [new(Web, 1)],
            Flows = new(TimeSpan.FromMinutes(10), TimeSpan.FromHours(1), default, TimeSpan.FromHours(1)),
        };
        string table = WishOf(sticky).Namespaces[NamespaceName.Host].NftTable!;
        const string Chains = """
            	chain tcp-80-8080-web {
            		meta nfproto ipv4 meta l4proto tcp ct timeout set "tcp-80-8080-web.ip.tcp"
            		meta nfproto ipv4 goto tcp-80-8080-web.172.30.0.2
            		meta nfproto ipv6 meta l4proto tcp ct timeout set "tcp-80-8080-web.ip6.tcp"
            		meta nfproto ipv6 goto tcp-80-8080-web.fd4f.7665.726c.6179..ac1e.2
            	}

            	chain tcp-80-8080-web.172.30.0.2 {
            		update @tcp-80-8080-web.172.30.0.2 { ip saddr }
            		meta l4proto tcp dnat ip to 172.30.0.2:8080
            	}

            """;
        Assert.All(
            Chains.Replace("\r", "", StringComparison.Ordinal).Split("\n\n"),
            chain => Assert.Contains(chain.TrimEnd('\n'), table, StringComparison.Ordinal));
        Assert.Contains("ip6 daddr ::1 return", table, StringComparison.Ordinal);
        Assert.Equal(
            ["6/80 172.30.0.2:8080 [fd4f:7665:726c:6179::ac1e:2]:8080"],
            PublishedPorts.Read(table).Select(static p => $"{p.Key.Protocol}/{p.Key.Port} {string.Join(' ', p.Value)}"));
    }

    [Fact]
    public void Where_nobody_comes_by_IPv6_the_host_does_not_begin_to_forward_it()
    {
        HostState wish = WishOf(Http);
        Assert.DoesNotContain(
            wish.Namespaces.Values.SelectMany(static n => n.Sysctls.Keys), static k => k.StartsWith("net/ipv6/conf/ovg", StringComparison.Ordinal));
        Assert.False(wish.Namespaces[NamespaceName.Host].Sysctls.ContainsKey("net/ipv6/conf/all/forwarding"));
        Assert.DoesNotContain("dnat ip6", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void A_backend_that_does_not_count_keeps_the_way_of_its_answers()
    {
        HostState wish = Desired.For(Scene.Fixed with { PortSandboxes = [new(Web, OfHost: true, OfMesh: false)], HasIpv6Ports = true });
        Assert.DoesNotContain("published", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
        HostState counted = WishOf(Http with { Families = IpFamilies.Ipv4 | IpFamilies.Ipv6 });
        Assert.Equal(counted.Namespaces[Web].Rules, wish.Namespaces[Web].Rules);
        Assert.Equal(counted.Namespaces[Web].Addresses, wish.Namespaces[Web].Addresses);
        Assert.Equal(counted.Namespaces[NamespaceName.Host].Addresses, wish.Namespaces[NamespaceName.Host].Addresses);
    }

    [Fact]
    public void Each_family_has_a_claim()
    {
        HostPort both = Http with { Families = IpFamilies.Ipv4 | IpFamilies.Ipv6 };
        Assert.Equal([new(6, IPAddress.Any, 80), new PortClaim(6, IPAddress.IPv6Any, 80)], both.Claims);
        Assert.Equal([IpFamilies.Ipv4, IpFamilies.Ipv6], both.Claims.Select(static c => c.Families));
        Assert.Equal([new PortClaim(6, IPAddress.Any, 80)], Http.Claims);
        Assert.Equal(
            [new PortClaim(6, IPAddress.Parse("2001:db8::1"), 80)],
            (both with { Address = IPAddress.Parse("2001:db8::1"), Families = IpFamilies.Ipv6 }).Claims);
    }

    [Fact]
    public void Interfaces_have_their_family_before_its_addresses()
    {
        ModelKernel kernel = new();
        kernel.Change(Web, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        List<string> plan = [.. kernel.PlanFor(WishOf(Http with { Families = IpFamilies.Ipv6 })).Operations.Select(static o => o.ToString())];
        int on = plan.FindIndex(static o => o.Contains("conf/ovgw/disable_ipv6", StringComparison.Ordinal));
        int given = plan.FindIndex(static o => o.Contains("ac1e:2/128 dev ovgw", StringComparison.Ordinal) && !o.Contains("rule", StringComparison.Ordinal));
        Assert.True(on >= 0 && given > on, string.Join('\n', plan));
    }

    [Fact]
    public void Where_the_source_is_translated_the_sandbox_sees_the_bridge()
    {
        HostPort dns = Http with { Protocol = PortProtocol.Udp, Published = 53, Target = 53 };
        string table = WishOf(Http with { TranslatesSource = true }, dns).Namespaces[NamespaceName.Host].NftTable!;
        Assert.Contains("\t\tip daddr 172.30.0.2 tcp dport 8080 ct original proto-dst 80 masquerade\n", table, StringComparison.Ordinal);
        Assert.DoesNotContain("proto-dst 53 ", table, StringComparison.Ordinal);
        Assert.DoesNotContain("proto-dst", WishOf(Http, dns).Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_backend_on_the_bridge_nothing_is_published()
    {
        string none = WishOf().Namespaces[NamespaceName.Host].NftTable!;
        Assert.DoesNotContain("published", none, StringComparison.Ordinal);
        Assert.Equal(none, WishOf(Http with { Backends = [] }).Namespaces[NamespaceName.Host].NftTable);
        HostState elsewhere = WishOf(Http with { Backends = [new(new("/run/netns/other"), 1)] });
        Assert.Equal(none, elsewhere.Namespaces[NamespaceName.Host].NftTable);
        Assert.Empty(elsewhere.Namespaces[Web].Rules);
        Assert.Equal("0", elsewhere.Namespaces[NamespaceName.Host].Sysctls["net/ipv4/conf/ovgw0/route_localnet"]);
    }

    [Fact]
    public void Of_two_services_with_one_port_the_first_has_it()
    {
        string table = WishOf(Http with { Service = "zeta" }, Http).Namespaces[NamespaceName.Host].NftTable!;
        Assert.Contains("{ 80 : goto tcp-80-8080-web }", table, StringComparison.Ordinal);
        Assert.DoesNotContain("zeta", table, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_written_is_read()
    {
        string table = WishOf(
            Http,
            Http with { Service = "api", Published = 90, Interface = "eth0" },
            Http with { Service = "dns", Protocol = PortProtocol.Udp }).Namespaces[NamespaceName.Host].NftTable!;
        Assert.Equal(
            ["6/80 172.30.0.2:8080", "6/90 172.30.0.2:8080", "17/80 172.30.0.2:8080"],
            PublishedPorts.Read(table).Select(static p => $"{p.Key.Protocol}/{p.Key.Port} {string.Join(' ', p.Value)}"));
        Assert.Empty(PublishedPorts.Read(null));
        Assert.Empty(PublishedPorts.Read("table inet overlayd {\n\tchain published {\n\t\tudp dport vmap { 1 : goto\n\t\tx dport\n\t}\n}\n"));
    }

    [Fact]
    public void Flows_to_a_port_that_goes_or_comes_are_forgotten_and_no_others()
    {
        ModelKernel kernel = new();
        kernel.Change(Web, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        kernel.Change(NamespaceName.Host, static _ => Scene.Strangers("eth0", LinkKind.Veth));
        Assert.Empty(kernel.Execute(kernel.PlanFor(WishOf(Http))));
        Plan more = kernel.PlanFor(WishOf(Http, Http with { Service = "dns", Protocol = PortProtocol.Udp, Published = 53 }));
        Assert.Equal("conntrack delete all to 17/53 but 172.30.0.2:8080", Forgotten(more));
        Assert.Empty(kernel.Execute(more));
        Assert.Equal("conntrack delete all to 17/53", Forgotten(kernel.PlanFor(WishOf(Http))));
        Operation.ForgetPortFlows all = kernel.PlanFor(WishOf()).Operations.OfType<Operation.ForgetPortFlows>().Single();
        Assert.Equal([(6, 80), (17, 53)], all.Targets.Keys);
        Assert.Contains(IPAddress.Parse("172.17.0.2"), all.Local);
        Assert.Contains(IPAddress.Loopback, all.Local);
        Assert.DoesNotContain(IPAddress.Parse("172.30.0.2"), all.Local);
    }

    private static string Forgotten(Plan plan) => plan.Operations.OfType<Operation.ForgetPortFlows>().Single().ToString().Split(": ", 2)[1];

    private static HostState WishOf(params HostPort[] ports) => Desired.For(Scene.Fixed with { Ports = [.. ports] });
}
