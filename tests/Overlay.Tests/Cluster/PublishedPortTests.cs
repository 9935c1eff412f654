using Overlay.Cluster;
using Overlay.Cluster.Intents;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

/// <summary>Published ports in the store: which are given, to whom they are refused, and what an update does.</summary>
public sealed class PublishedPortTests
{
    private readonly World world = new();

    public PublishedPortTests() => world.Create("blue");

    [Fact]
    public void Without_a_number_it_is_the_first_free_one_of_its_protocol()
    {
        Assert.Equal([30000u, 30001u], Create("a", Port(0), Port(0, 81)).Ports.Select(static p => p.Published));
        Assert.Equal([30002u], Create("b", Port(0)).Ports.Select(static p => p.Published));
        Assert.Equal([30000u], Create("c", Port(0, protocol: PortProtocol.Udp)).Ports.Select(static p => p.Published));
        Remove("a");
        Assert.Equal([30000u], Create("d", Port(0)).Ports.Select(static p => p.Published));
    }

    [Fact]
    public void All_of_them_are_given_before_one_is_refused()
    {
        const int All = PublishedPorts.LastAutomatic - PublishedPorts.FirstAutomatic + 1;
        for (int i = 0; i < All; i += Limits.PortsOfService)
        {
            int count = Math.Min(Limits.PortsOfService, All - i);
            Create($"s{i}", [.. Enumerable.Range(0, count).Select(static n => Port(0, 1 + (uint)n))]);
        }

        Refused(Try("more", Port(0)), RefusalKind.Exhausted, "Service 'more' was not created", "30000 to 32767", "published=8080");
        Assert.Equal([8080u], Create("more", Port(8080)).Ports.Select(static p => p.Published));
    }

    [Theory]
    [InlineData("", "", "", "", "", "")]
    [InlineData("", "", "", "192.0.2.1", "", "")]
    [InlineData("", "eth0", "", "192.0.2.1", "", "")]
    [InlineData("", "", "zone=a", "", "", "")]
    [InlineData("", "", "zone", "", "", "zone=a")]
    [InlineData("", "", "zone=a", "", "", "disk=a")]
    [InlineData("192.0.2.1", "eth0", "zone=a", "192.0.2.1", "eth0", "zone=a")]
    public void What_some_packet_could_be_meant_for_is_one_service_s(
        string address, string device, string label, string address2, string device2, string label2)
    {
        Create("web", Port(80, address: address, device: device, label: label));
        Refused(
            Try("api", Port(80, 90, address: address2, device: device2, label: label2)), RefusalKind.Conflict,
            "Service web publishes port 80/tcp", "overlayd service update --publish-rm 80 web");
        Create("udp", Port(80, protocol: PortProtocol.Udp, address: address2, device: device2, label: label2));
    }

    [Theory]
    [InlineData("192.0.2.1", "", "", "192.0.2.2", "", "")]
    [InlineData("", "eth0", "", "", "eth1", "")]
    [InlineData("", "", "zone=a", "", "", "zone=b")]
    [InlineData("2001:db8::1", "", "", "10.0.0.1", "", "")]
    public void What_no_packet_is_meant_for_twice_may_be_another_s(
        string address, string device, string label, string address2, string device2, string label2)
    {
        Create("web", Port(80, address: address, device: device, label: label));
        Create("api", Port(80, address: address2, device: device2, label: label2));
    }

    [Fact]
    public void A_service_publishes_a_port_once() => Refused(
        Try("web", Port(80), Port(80, 81)), RefusalKind.Conflict, "It publishes port 80/tcp already, or twice", "--publish-rm");

    [Fact]
    public void More_ports_than_a_service_may_have() => Refused(
        Try("web", [.. Enumerable.Range(1, Limits.PortsOfService + 1).Select(static n => Port(0, (uint)n))]), RefusalKind.Invalid, "64 ports at most");

    [Theory]
    [InlineData(80, 0, "", "", "", "target port 0")]
    [InlineData(80, 65536, "", "", "", "target port 65536")]
    [InlineData(65536, 80, "", "", "", "published port 65536")]
    [InlineData(80, 80, "ten", "", "", "'ten' is no IP address")]
    [InlineData(80, 80, "10.1", "", "", "'10.1' is no IP address")]
    [InlineData(80, 80, "::1", "", "", "use 127.0.0.1")]
    [InlineData(80, 80, "::", "", "", "leave `ip` out")]
    [InlineData(80, 80, "fe80::1", "", "", "an address of one link")]
    [InlineData(80, 80, "ff02::1", "", "", "no address of a node")]
    [InlineData(80, 80, "::ffff:10.0.0.1", "", "", "no address of a node")]
    [InlineData(80, 80, "2001:DB8::1", "", "", "is no IP address")]
    [InlineData(80, 80, "0.0.0.0", "", "", "leave `ip` out")]
    [InlineData(80, 80, "224.0.0.1", "", "", "no address of a node")]
    [InlineData(80, 80, "", "eth 0", "", "'eth 0' is no name of an interface")]
    [InlineData(80, 80, "", "a-very-long-name", "", "is no name of an interface")]
    [InlineData(80, 80, "", "..", "", "is no name of an interface")]
    [InlineData(80, 80, "", "\";drop", "", "is no name of an interface")]
    [InlineData(80, 80, "", "", "=a", "is no label")]
    [InlineData(80, 80, "", "", "a b=c", "is no label")]
    public void Wrong_words(uint published, uint target, string address, string device, string label, string why) => Refused(
        Try("web", Port(published, target, address: address, device: device, label: label)), RefusalKind.Invalid, why, "published=8080,target=80");

    [Fact]
    public void A_protocol_that_nobody_knows() =>
        Refused(Try("web", Port(80, protocol: (PortProtocol)9)), RefusalKind.Invalid, "does not know that protocol");

    [Fact]
    public void A_mode_that_nobody_knows()
    {
        PublishedPort port = Port(80);
        port.Mode = (PublishMode)7;
        Refused(Try("web", port), RefusalKind.Invalid, "does not know that mode");
    }

    [Fact]
    public void An_internal_network_has_no_outside()
    {
        world.Create(world.Network("inner") with { Internal = true });
        Refused(
            world.Intent.CreateService(world.Service("web", "inner") with { Ports = [Port(80)] }), RefusalKind.Invalid, "Network inner is internal");
    }

    [Fact]
    public void An_update_adds_takes_and_changes_in_one_step()
    {
        ServiceObject web = Create("web", Port(80), Port(53, 53, PortProtocol.Udp), Port(54, 53));
        ServiceObject changed = world.Do(world.Intent.EditService("WEB", new()
        {
            PortsRemoved = [(53, PortProtocol.Unspecified), (80, PortProtocol.Tcp)],
            PortsAdded = [Port(80, 8080), Port(0, 9090)],
            LabelsAdded = new ServiceEdit().LabelsAdded.Add("tier", "front"),
            Scheduler = "",
        }));
        Assert.Equal(["80->8080", "30000->9090"], changed.Ports.Select(static p => $"{p.Published}->{p.Target}"));
        Assert.Equal("front", changed.Labels["tier"]);
        Assert.Equal((web.Id, web.CreatedUnixMs), (changed.Id, changed.CreatedUnixMs));
        Assert.Equal(changed.Ports, world.State.Service(web.Id)!.Ports);

        changed = world.Do(world.Intent.EditService("web", new() { LabelsRemoved = ["tier"], PortsRemoved = [(8080, PortProtocol.Unspecified)] }));
        Assert.Empty(changed.Labels);
        Assert.Equal([9090u], changed.Ports.Select(static p => p.Target));
    }

    [Fact]
    public void An_update_changes_the_scheduler_of_a_virtual_address_alone()
    {
        world.Do(world.Intent.CreateService(world.Service("vip", "blue", EndpointMode.Vip)));
        Create("names");
        Assert.Equal(Scheduler.Sh, world.Do(world.Intent.EditService("vip", new() { Scheduler = "sh" })).Scheduler);
        Refused(world.Intent.EditService("vip", new() { Scheduler = "fair" }), RefusalKind.Invalid, "Service vip was not changed", "no scheduler");
        Refused(world.Intent.EditService("names", new() { Scheduler = "rr" }), RefusalKind.Invalid, "no scheduler does");
    }

    [Fact]
    public void Backends_see_the_client_unless_that_is_asked_for()
    {
        ServiceObject web = Create("web", Port(80));
        Assert.False(web.TranslatesSource);
        Assert.True(world.Do(world.Intent.EditService("web", new() { SourceIp = "snat" })).TranslatesSource);
        Assert.True(world.Do(world.Intent.EditService("web", new() { Scheduler = "", PortsAdded = [Port(81, 82)] })).TranslatesSource);
        Assert.False(world.Do(world.Intent.EditService("web", new() { SourceIp = "preserve" })).TranslatesSource);
        Refused(world.Intent.EditService("web", new() { SourceIp = "hide" }), RefusalKind.Invalid, "not 'hide'", "`--source-ip preserve`");
        Assert.True(world.Do(world.Intent.CreateService(world.Service("api", "blue") with { SourceIp = "snat" })).TranslatesSource);
        Refused(world.Intent.CreateService(world.Service("x", "blue") with { SourceIp = "SNAT" }), RefusalKind.Invalid, "not 'SNAT'");
    }

    [Fact]
    public void Near_backends_come_first_where_a_virtual_address_is_balanced()
    {
        world.Do(world.Intent.CreateService(world.Service("vip", "blue", EndpointMode.Vip) with { Locality = "prefer" }));
        Assert.Equal(Locality.Prefer, world.State.ServiceNamed("vip")!.Locality);
        Assert.Equal(Locality.Require, world.Do(world.Intent.EditService("vip", new() { Locality = "require" })).Locality);
        Assert.Equal(Locality.Unspecified, world.Do(world.Intent.EditService("vip", new() { Locality = "off" })).Locality);
        Refused(world.Intent.EditService("vip", new() { Locality = "near" }), RefusalKind.Invalid, "no locality 'near'", "`--locality off`");
        Create("names");
        Refused(world.Intent.EditService("names", new() { Locality = "prefer" }), RefusalKind.Invalid, "wherever they are", "`--locality`");
        Refused(world.Intent.CreateService(world.Service("x", "blue") with { Locality = "require" }), RefusalKind.Invalid, "wherever they are");
    }

    [Fact]
    public void An_update_that_says_nothing_or_what_is_not_there()
    {
        Create("web", Port(80));
        ulong version = world.Store.Version;
        Refused(world.Intent.EditService("web", new()), RefusalKind.Invalid, "Nothing is to be changed", "--publish-add");
        Refused(world.Intent.EditService("wob", new() { Scheduler = "rr" }), RefusalKind.NotFound, "'wob'");
        Refused(
            world.Intent.EditService("web", new() { PortsRemoved = [(81, PortProtocol.Unspecified)] }), RefusalKind.NotFound,
            "It publishes no target port 81", "--publish-rm names the target");
        Refused(world.Intent.EditService("web", new() { PortsRemoved = [(80, PortProtocol.Udp)] }), RefusalKind.NotFound, "no target port 80/udp");
        Refused(world.Intent.EditService("web", new() { LabelsRemoved = ["x"] }), RefusalKind.NotFound, "no label 'x'");
        Refused(
            world.Intent.EditService("web", new() { LabelsRemoved = ["x"], LabelsAdded = new ServiceEdit().LabelsAdded.Add("x", "") }),
            RefusalKind.Invalid, "to be added and removed");
        Refused(world.Intent.EditService("web", new() { PortsAdded = [Port(80, 81)] }), RefusalKind.Conflict, "It publishes port 80/tcp already");
        Create("api", Port(90));
        Refused(world.Intent.EditService("web", new() { PortsAdded = [Port(90)] }), RefusalKind.Conflict, "Service api publishes port 90/tcp");
        Assert.Equal(version + 1, world.Store.Version);
    }

    private ServiceObject Create(string name, params PublishedPort[] ports) => world.Do(Try(name, ports));

    private Outcome<Proposal<ServiceObject>> Try(string name, params PublishedPort[] ports) =>
        world.Intent.CreateService(world.Service(name, "blue") with { Ports = [.. ports] });

    private void Remove(string name) => world.Do(world.Intent.RemoveService(name));

    private static PublishedPort Port(
        uint published, uint target = 80, PortProtocol protocol = PortProtocol.Tcp, string address = "", string device = "", string label = "")
    {
        PublishedPort port = new() { Published = published, Target = target, Protocol = protocol, Mode = PublishMode.Host };
        (port.Address, port.Interface, port.NodeLabel) = (address, device, label);
        return port;
    }
}
