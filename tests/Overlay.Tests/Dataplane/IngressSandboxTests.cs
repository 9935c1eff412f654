using System.Net;
using Overlay.Dataplane;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Dataplane;

/// <summary>ov-ingress: the host's way into it, its own rules, and the answers' way out of a sandbox.</summary>
public sealed class IngressSandboxTests
{
    internal static readonly NetworkId Network = new(0x3333_3333_3333_3333);

    private static readonly NamespaceName Web = Scene.Fixed.Endpoints[0].Sandbox;

    private static readonly IPAddress Own = IPAddress.Parse("10.200.0.2");

    private static readonly MeshNode Here = new(Own, 1);

    private static readonly MeshNode There = new(IPAddress.Parse("10.200.1.3"), 2);

    private static readonly MeshPort Http = new()
    {
        Service = "web",
        Protocol = PortProtocol.Tcp,
        Published = 80,
        Target = 8080,
        Backends = [new(Web, 1)],
        Elsewhere = [There],
    };

    [Fact]
    public void Where_the_source_is_translated_the_backend_sees_the_router()
    {
        NamespaceState ingress = Wish(Http with { TranslatesSource = true }).Namespaces[NamespaceName.Ingress];
        AssertChains(
            ingress, """
            	chain postrouting {
            		type nat hook postrouting priority srcnat; policy accept;
            		ip daddr 172.30.0.2 tcp dport 8080 ct original proto-dst 80 masquerade
            	}

            """);
        Assert.DoesNotContain("postrouting", Wish(Http).Namespaces[NamespaceName.Ingress].NftTable, StringComparison.Ordinal);
        Assert.DoesNotContain(
            "postrouting", Wish(Http with { TranslatesSource = true, Backends = [] }).Namespaces[NamespaceName.Ingress].NftTable,
            StringComparison.Ordinal);
    }

    [Fact]
    public void The_host_sends_to_the_nodes_that_have_backends_and_hides_what_is_its_own()
    {
        NamespaceState host = Wish(Http).Namespaces[NamespaceName.Host];
        Assert.Equal(
            ["10.200.0.0/16 via 172.30.255.254 dev ovgi metric 1024", "172.30.255.254/32 dev ovgi metric 1024"],
            host.Routes.Select(static r => r.ToString()));
        Assert.Equal(("1", "1"), (host.Sysctls["net/ipv4/ip_forward"], host.Sysctls["net/ipv4/conf/ovgi/route_localnet"]));
        AssertChains(
            host, """
            	chain forward {
            		type filter hook forward priority filter; policy accept;
            		iifname "ovgw0" oifname "ovgw0" drop
            		iifname "ovgw0" meta nfproto ipv6 ct state established,related accept
            		iifname "ovgw0" meta nfproto ipv6 drop
            		oifname "ovgw0" ct status dnat accept
            		oifname "ovgw0" ct state established,related accept
            		oifname "ovgw0" drop
            		oifname "ovgi" ct status dnat accept
            		iifname "ovgi" ct state established,related accept
            		oifname "ovgi" drop
            		iifname "ovgi" drop
            	}

            	chain mesh {
            		tcp dport vmap { 80 : goto tcp-80-8080-web }
            	}

            	chain postrouting {
            		type nat hook postrouting priority srcnat; policy accept;
            		ip saddr 127.0.0.0/8 oifname "ovgi" snat ip to 192.0.2.1
            		ip saddr 172.30.0.0/16 oifname "ovgi" snat ip to 192.0.2.1
            		ip saddr 127.0.0.0/8 oifname "ovgw0" masquerade
            		ip saddr 172.30.0.0/16 oifname != "ovgw0" masquerade
            	}

            	chain prerouting {
            		type nat hook prerouting priority -85; policy accept;
            		iifname != "ovgw0" fib daddr type local goto published
            		iifname "ovgw0" meta nfproto ipv4 fib daddr type local goto mesh
            	}

            	chain tcp-80-8080-web {
            		meta l4proto tcp dnat ip to numgen random mod 3 map { 0 : 10.200.0.2, 1-2 : 10.200.1.3 }:80
            	}

            """);
    }

    [Fact]
    public void It_translates_to_backends_here_and_knows_flows_by_the_node_they_came_by()
    {
        NamespaceState inside = Wish(Http).Namespaces[NamespaceName.Ingress];
        AssertChains(
            inside, """
            	chain forward {
            		type filter hook forward priority filter; policy drop;
            		tcp flags syn / syn,rst tcp option maxseg size set rt mtu
            		ct state established,related accept
            		ct status dnat accept
            		iifname "host0" oifname "eth0" accept
            	}

            	chain marks {
            		type filter hook prerouting priority mangle; policy accept;
            		ct direction reply meta mark set ct original zone
            	}

            	chain prerouting {
            		type nat hook prerouting priority -85; policy accept;
            		iifname != "ovp*" ip daddr 10.200.0.2 goto published
            	}

            	chain tcp-80-8080-web {
            		meta l4proto tcp dnat ip to 172.30.0.2:8080
            	}

            	chain zones {
            		type filter hook prerouting priority raw; policy accept;
            		iifname "eth0" ct original zone set ether saddr map { 02:00:0a:c8:01:03 : 259 }
            	}

            """);
        Assert.Equal("from 0.0.0.0/0 fwmark 259 table 100259 priority 7899", Assert.Single(inside.Rules).ToString());
        Assert.Contains("0.0.0.0/0 via 10.200.1.3 dev eth0 metric 1024 table 100259", inside.Routes.Select(static r => r.ToString()));
        Assert.Equal(["lo", "eth0", "host0", "ovp2"], inside.Links.Keys.OrderBy(static n => n != "lo").ThenBy(static n => n, StringComparer.Ordinal));
        Assert.Equal(1450, inside.Links["ovp2"].Mtu);
        Assert.Equal("0", inside.Sysctls["net/ipv4/conf/all/rp_filter"]);
    }

    [Fact]
    public void Where_the_network_has_IPv6_its_clients_go_the_same_way()
    {
        DataplaneInputs inputs = Inputs(Http);
        OverlayNetwork network = inputs.Networks[^1];
        LocalEndpoint own = inputs.Endpoints[^1];
        RemoteEndpoint other = inputs.Remotes[^1];
        MeshNode here = Here with { Ipv6 = IPAddress.Parse("fd00:9::2") };
        inputs = inputs with
        {
            Networks = inputs.Networks.SetItem(
                inputs.Networks.Length - 1,
                network with { Segments = [network.Segments[0] with { Subnet6 = IPNetwork.Parse("fd00:9::/64"), Gateway6 = IPAddress.Parse("fd00:9::1") }] }),
            Endpoints = inputs.Endpoints.SetItem(inputs.Endpoints.Length - 1, own with { Ipv6 = here.Ipv6 }),
            Remotes = inputs.Remotes.SetItem(inputs.Remotes.Length - 1, other with { Ipv6 = IPAddress.Parse("fd00:9::103") }),
            // The other node is none of this version: it has said no IPv6 address.
            Ports = [inputs.Ports[0] with { Families = IpFamilies.Ipv4 | IpFamilies.Ipv6, Nodes = [here, There] }],
        };
        HostState wish = Desired.For(inputs);
        Assert.Contains("\t\tmeta l4proto tcp dnat ip6 to [fd00:9::2]:80\n", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
        Assert.Contains(
            "fd00:9::/64 via fd4f:7665:726c:6179::ac1e:fffe dev ovgi metric 1024",
            wish.Namespaces[NamespaceName.Host].Routes.Select(static r => r.ToString()));
        NamespaceState inside = wish.Namespaces[NamespaceName.Ingress];
        Assert.Contains("\t\tiifname != \"ovp*\" ip6 daddr fd00:9::2 goto published\n", inside.NftTable, StringComparison.Ordinal);
        Assert.Contains("\t\tmeta l4proto tcp dnat ip6 to [fd4f:7665:726c:6179::ac1e:2]:8080\n", inside.NftTable, StringComparison.Ordinal);
        Assert.Contains("from ::/0 fwmark 259 table 100259 priority 7899", inside.Rules.Select(static r => r.ToString()));
        Assert.Contains("::/0 via fd00:9::103 dev eth0 metric 1024 table 100259", inside.Routes.Select(static r => r.ToString()));
        Assert.Contains("::/0 via fd4f:7665:726c:6179::ac1e:fffd dev host0 metric 1024", inside.Routes.Select(static r => r.ToString()));
        NamespaceState web = wish.Namespaces[Web];
        Assert.Contains("from ::/0 fwmark 80 table 80 priority 7899", web.Rules.Select(static r => r.ToString()));
        Assert.Contains("::/0 via fd4f:7665:726c:6179::ac1e:fffe dev ovin metric 1024 table 80", web.Routes.Select(static r => r.ToString()));
    }

    [Fact]
    public void A_backend_answers_by_where_it_was_asked()
    {
        NamespaceState web = Wish(Http).Namespaces[Web];
        Assert.Equal("from 0.0.0.0/0 fwmark 80 table 80 priority 7899", Assert.Single(web.Rules).ToString());
        Assert.Contains(new AddressEntry("ovin", IPAddress.Parse("172.30.0.2"), 32), web.Addresses);
        Assert.Contains("0.0.0.0/0 via 172.30.255.254 dev ovin metric 1024 table 80", web.Routes.Select(static r => r.ToString()));
        Assert.Equal(
            """
            table inet overlayd {
            	chain answers {
            		type route hook output priority mangle; policy accept;
            		ct direction reply ct original zone 80 meta mark set 0x00000050
            	}

            	chain arrivals {
            		type filter hook prerouting priority raw; policy accept;
            		iifname "ovin" meta mark set 0x00000050 ct original zone set 80
            	}
            }

            """.Replace("\r", "", StringComparison.Ordinal),
            web.NftTable);
        Assert.True(ServiceTable.IsOne(web.NftTable));
        Assert.Empty(ServiceTable.Read(web.NftTable));
    }

    [Fact]
    public void A_backend_that_does_not_count_keeps_its_connections()
    {
        HostState wish = Desired.For(Inputs(Http with { Backends = [] }) with { PortSandboxes = [new(Web, OfHost: false, OfMesh: true)] });
        HostState counted = Wish(Http);
        Assert.Equal(counted.Namespaces[Web].Rules, wish.Namespaces[Web].Rules);
        Assert.Equal(counted.Namespaces[Web].NftTable, wish.Namespaces[Web].NftTable);
        Assert.Equal(counted.Namespaces[NamespaceName.Ingress].Links.Keys, wish.Namespaces[NamespaceName.Ingress].Links.Keys);
        Assert.Contains("dnat ip to 10.200.1.3:80\n", wish.Namespaces[NamespaceName.Ingress].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_no_backend_is_left_clients_go_on_to_nodes_that_have_some()
    {
        HostState wish = Wish(Http with { Backends = [] });
        Assert.Contains("dnat ip to 10.200.1.3:80\n", wish.Namespaces[NamespaceName.Ingress].NftTable, StringComparison.Ordinal);
        Assert.Null(wish.Namespaces[Web].NftTable);
        HostState none = Wish(Http with { Backends = [], Elsewhere = [] });
        Assert.DoesNotContain("dnat ip", none.Namespaces[NamespaceName.Ingress].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void By_hash_the_node_and_its_backend_are_chosen_by_different_ones()
    {
        DataplaneInputs inputs = Inputs(Http with { Scheduler = Scheduler.Sh, Backends = [new(Web, 1), new(new("/run/netns/two"), 1)] });
        inputs = inputs with
        {
            Endpoints = inputs.Endpoints.Add(Scene.Local(9, Scene.Red, 0, 0, 21, "two") with { GatewaySlot = 3 }),
            Ports = [inputs.Ports[0] with { Scheduler = Scheduler.Sh }],
        };
        HostState wish = Desired.For(inputs);
        Assert.Contains("jhash ip saddr mod 3 seed 0x1 map", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
        Assert.Contains("jhash ip saddr mod 2 seed 0x2 map", wish.Namespaces[NamespaceName.Ingress].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void A_published_port_is_claimed_before_anybody_has_a_backend()
    {
        HostPort port = Inputs(Http).Ports[0] with { Nodes = [] };
        Assert.Equal(new PortClaim(6, IPAddress.Any, 80), Assert.Single(port.Claims));
        HostState wish = Desired.For(Inputs(Http) with { Ports = [port] });
        Assert.DoesNotContain("published", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_the_endpoint_nothing_of_it_is_there()
    {
        DataplaneInputs inputs = Inputs(Http) with { Endpoints = Scene.Fixed.Endpoints };
        HostState wish = Desired.For(inputs);
        Assert.False(wish.Namespaces.ContainsKey(NamespaceName.Ingress));
        Assert.DoesNotContain("ovgi", wish.Namespaces[NamespaceName.Host].NftTable, StringComparison.Ordinal);
        Assert.Null(wish.Namespaces[Web].NftTable);
    }

    [Fact]
    public void It_comes_and_goes_in_one_plan_each()
    {
        ModelKernel kernel = new();
        kernel.Change(Web, static _ => Scene.Strangers("dock0", LinkKind.Veth));
        kernel.Change(NamespaceName.Host, static _ => Scene.Strangers("eth0", LinkKind.Veth));
        Assert.Empty(kernel.Execute(kernel.PlanFor(Wish(Http))));
        Assert.Empty(kernel.PlanFor(Wish(Http)).Operations);
        Plan fewer = kernel.PlanFor(Wish(Http with { Backends = [] }));
        Assert.Contains(
            "ov-ingress: conntrack delete all to 6/80 but 10.200.1.3:80",
            fewer.Operations.OfType<Operation.ForgetPortFlows>().Select(static o => o.ToString()));
        Assert.Empty(kernel.Execute(fewer));
        Assert.Null(kernel.State.FindLink(Web, "ovin"));
        Assert.Empty(kernel.Execute(kernel.PlanFor(Desired.For(Scene.Fixed))));
        Assert.False(kernel.State.Namespaces.ContainsKey(NamespaceName.Ingress));
        Assert.Null(kernel.State.FindLink(NamespaceName.Host, "ovgi"));
        Assert.Empty(kernel.State.Namespaces[Web].Rules);
    }

    private static void AssertChains(NamespaceState state, string chains) => Assert.All(
        chains.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n').Split("\n\n"),
        chain => Assert.Contains($"{chain}\n", state.NftTable, StringComparison.Ordinal));

    private static HostState Wish(MeshPort port) => Desired.For(Inputs(port));

    private static DataplaneInputs Inputs(MeshPort port) => Scene.Fixed with
    {
        Networks = Scene.Fixed.Networks.Add(new()
        {
            Id = Network,
            Name = "ingress",
            Internal = true,
            Segments = [new(new(4200), IPNetwork.Parse("10.200.0.0/16"), IPAddress.Parse("10.200.0.1"), null, null)],
        }),
        Endpoints = Scene.Fixed.Endpoints.Add(new()
        {
            Id = new(0x4444_4444_4444_4444),
            Network = Network,
            Segment = 0,
            Sandbox = NamespaceName.Ingress,
            Interface = IngressSandbox.Interface,
            Mac = new(0x0200_0ac8_0002),
            Ipv4 = Own,
        }),
        Remotes = Scene.Fixed.Remotes.Add(new(Network, 0, new(0x0200_0ac8_0103), There.Address, null, IPAddress.Parse("192.0.2.2"))),
        MeshPorts = [port],
        Ports =
        [
            new()
            {
                Service = port.Service,
                Protocol = port.Protocol,
                Published = port.Published,
                Target = port.Target,
                IsMesh = true,
                Nodes = [Here, There],
            },
        ],
    };
}
