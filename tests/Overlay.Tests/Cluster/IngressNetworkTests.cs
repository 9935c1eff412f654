using Overlay.Cluster;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>The network that comes with the first port of all nodes, or that an operator makes.</summary>
public sealed class IngressNetworkTests
{
    private readonly World world = new();

    public IngressNetworkTests() => world.Create(world.Network("blue", "10.9.0.0/24"));

    [Fact]
    public void It_comes_with_the_first_port_of_all_nodes_and_once()
    {
        Create("plain", Port(8080, PublishMode.Host));
        Assert.Null(Ingress);
        ServiceObject web = Create("web", Port(80), Port(81, PublishMode.Unspecified));
        Assert.All(web.Ports, static p => Assert.Equal(PublishMode.Ingress, p.Mode));
        NetworkObject ingress = Ingress!;
        Assert.Equal(("ingress", true, false), (ingress.Name, ingress.Internal, ingress.Attachable));
        Assert.EndsWith("/17", Assert.Single(ingress.Segments).Ipv4.Subnet, StringComparison.Ordinal);
        Assert.NotNull(ingress.Segments[0].Ipv6);
        Assert.Equal(2, world.State.LeasesOf(ingress.Id).Count());
        Create("api", Port(90));
        Assert.Single(world.State.Networks, static n => n.Ingress);
    }

    [Fact]
    public void An_update_brings_it_too()
    {
        Create("web");
        world.Do(world.Intent.EditService("web", new() { PortsAdded = [Port(80)], IngressId = world.NewNetworkId() }));
        Assert.NotNull(Ingress);
        world.Do(world.Intent.EditService("web", new() { PortsRemoved = [(80, PortProtocol.Unspecified)] }));
        Assert.NotNull(Ingress);
    }

    [Fact]
    public void An_operator_makes_it_with_a_subnet_of_his()
    {
        NetworkObject made = world.Create(world.Network("edge", "10.200.0.0/24") with { Ingress = true });
        Assert.True(made is { Ingress: true, Internal: true });
        Create("web", Port(80));
        Assert.Equal("edge", Ingress!.Name);
        Refused(
            world.Intent.CreateNetwork(world.Network("other") with { Ingress = true }), RefusalKind.Conflict,
            "Network edge carries the published ports");
    }

    [Theory]
    [InlineData(true, "for published ports alone", "10.0.0.0/20")]
    [InlineData(false, "one IPv4 subnet", "fd00::/64")]
    [InlineData(false, "one IPv4 subnet", "10.1.0.0/24", "10.2.0.0/24")]
    [InlineData(false, "10.0.0.0/15 is larger than a /16", "10.0.0.0/15")]
    public void What_it_may_not_be(bool attachable, string why, params string[] subnets) => Refused(
        world.Intent.CreateNetwork(world.Network("edge", subnets) with { Ingress = true, Attachable = attachable }), RefusalKind.Invalid, why,
        "network create --ingress");

    [Fact]
    public void It_stays_while_a_service_publishes_on_all_nodes()
    {
        Create("web", Port(80));
        Refused(world.Intent.RemoveNetwork("ingress"), RefusalKind.Conflict, "It carries published ports of the service web", "service rm web");
        world.Do(world.Intent.RemoveService("web"));
        world.Do(world.Intent.RemoveNetwork("ingress"));
        Create("api", Port(80));
        Assert.NotNull(Ingress);
    }

    [Fact]
    public void No_service_is_made_on_it()
    {
        Create("web", Port(80));
        Refused(world.Intent.CreateService(world.Service("api", "ingress")), RefusalKind.Invalid, "is for published ports alone");
    }

    [Fact]
    public void Where_it_cannot_be_made_the_service_is_not_and_says_why()
    {
        world.Create(world.Network("ingress", "10.8.0.0/24"));
        Refused(
            Try("web", Port(80)), RefusalKind.Conflict, "Service 'web' was not created", "which cannot be made", "has that name",
            "network create --ingress", "mode=host");
        Assert.Empty(world.State.Services);
    }

    [Fact]
    public void A_small_pool_gives_what_it_has()
    {
        World small = new("10.0.0.0/22");
        small.Create(small.Network("blue"));
        small.Do(small.Intent.CreateService(small.Service("web", "blue") with { Ports = [Port(80)] }));
        Assert.Equal("10.0.1.0/24", small.State.Networks.Single(static n => n.Ingress).Segments[0].Ipv4.Subnet);
    }

    [Fact]
    public void Ports_of_all_nodes_are_told_apart_by_their_numbers_alone()
    {
        Create("web", Port(80, address: "192.0.2.1"));
        Refused(Try("api", Port(80, address: "192.0.2.2")), RefusalKind.Conflict, "Service web publishes port 80/tcp");
        Create("dns", Port(80, protocol: PortProtocol.Udp));
        Create("near", Port(80, PublishMode.Host, address: "192.0.2.2"));
        Refused(Try("all", Port(80, PublishMode.Host)), RefusalKind.Conflict, "publishes port 80/tcp");
    }

    private NetworkObject? Ingress => world.State.Networks.SingleOrDefault(static n => n.Ingress);

    private ServiceObject Create(string name, params PublishedPort[] ports) => world.Do(Try(name, ports));

    private Outcome<Proposal<ServiceObject>> Try(string name, params PublishedPort[] ports) =>
        world.Intent.CreateService(world.Service(name, "blue") with { Ports = [.. ports] });

    private static PublishedPort Port(
        uint published, PublishMode mode = PublishMode.Ingress, string address = "", PortProtocol protocol = PortProtocol.Tcp) => new()
        {
            Published = published,
            Target = 80,
            Mode = mode,
            Address = address,
            Protocol = protocol,
        };
}
