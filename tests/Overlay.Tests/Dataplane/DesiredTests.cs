using System.Net;
using Overlay.Dataplane;

namespace Overlay.Tests.Dataplane;

public sealed class DesiredTests
{
    private static readonly NamespaceName Overlay = Desired.NamespaceOf(Scene.Red);

    [Theory]
    [InlineData("192.0.2.1", 1500, 0, 1450)]
    [InlineData("192.0.2.1", 1400, 0, 1350)]
    [InlineData("2001:db8::1", 1500, 0, 1430)]
    [InlineData("192.0.2.1", 9000, 1300, 1300)]
    public void The_mtu_is_the_networks_or_what_the_underlay_leaves(string vtep, int underlay, int network, int expected)
    {
        HostState wish = Desired.For(Scene.Fixed with
        {
            Vtep = IPAddress.Parse(vtep),
            UnderlayMtu = underlay,
            Networks = [Scene.Fixed.Networks[0] with { Mtu = network }],
        });
        Assert.All(["br0", "vxlan0", "vxlan1"], name => Assert.Equal(expected, wish.FindLink(Overlay, name)!.Mtu));
        Assert.Equal(expected, wish.FindLink(Scene.Fixed.Endpoints[0].Sandbox, "eth0")!.Mtu);
    }

    [Fact]
    public void The_gateways_mac_is_local_and_the_same_on_every_node()
    {
        LinkState here = Desired.For(Scene.Fixed).FindLink(Overlay, "br0")!;
        LinkState there = Desired.For(Scene.Fixed with { Vtep = IPAddress.Parse("192.0.2.9") }).FindLink(Overlay, "br0")!;
        Assert.Equal(here.Mac, there.Mac);
        Assert.Equal(0x02UL, here.Mac!.Value.Value >> 40);
        Assert.NotEqual(here.Mac, Desired.For(Scene.Fixed).FindLink(Overlay, "br1")!.Mac);
    }

    [Fact]
    public void What_is_here_is_not_sought_elsewhere()
    {
        LocalEndpoint local = Scene.Fixed.Endpoints[0];
        RemoteEndpoint honest = Scene.Fixed.Remotes[0];
        HostState wish = Desired.For(Scene.Fixed with
        {
            Remotes =
            [
                honest with { Mac = local.Mac },
                honest with { Mac = new(0x0200_0000_0a01), Ipv4 = local.Ipv4, Ipv6 = null },
                honest with { Mac = new(0x0200_0000_0a02), Ipv4 = IPAddress.Parse("10.0.0.1"), Ipv6 = null },
                honest with { Mac = new(0x0200_0000_0a03), Vtep = Scene.Fixed.Vtep },
            ],
        });
        NamespaceState inside = wish.Namespaces[Overlay];
        Assert.DoesNotContain(inside.Fdb, f => f.Mac == local.Mac || f.Vtep.Equals(Scene.Fixed.Vtep));
        Assert.Empty(inside.Neighbours);
    }

    [Fact]
    public void One_interface_has_one_endpoint_whatever_the_order_of_claims()
    {
        LocalEndpoint first = Scene.Fixed.Endpoints[0];
        LocalEndpoint second = Scene.Local(0x5555_5555_5555_5555, Scene.Red, 0, 0, 21, "web");
        HostState wish = Desired.For(Scene.Fixed with { Endpoints = [second, first] });
        Assert.Equal($"overlayd endpoint {first.Id}", wish.FindLink(first.Sandbox, "eth0")!.Alias);
        Assert.Null(wish.FindLink(Overlay, Desired.PortOf(second.Id)));
    }

    [Fact]
    public void Without_a_way_out_the_host_holds_nothing()
    {
        HostState wish = Desired.For(Scene.Fixed with { Endpoints = [Scene.Fixed.Endpoints[0] with { GatewaySlot = 0 }] });
        Assert.Empty(wish.Namespaces[NamespaceName.Host].Links);
        Assert.Null(wish.Namespaces[NamespaceName.Host].NftTable);
        Assert.Null(wish.FindLink(Scene.Fixed.Endpoints[0].Sandbox, "ovgw"));
    }
}
