using System.Net;
using Overlay.Cluster;
using Overlay.Dataplane;
using Overlay.Dns;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Tests.Node;

public sealed class AttachTests
{
    private readonly NodeRig rig = Ready();

    [Fact]
    public void An_attach_is_answered_when_the_disk_and_the_kernel_have_it()
    {
        rig.DiskAnswers = rig.KernelAnswers = false;
        long request = rig.Attach(rig.Command("web"));
        Assert.Equal(EndpointStatus.Pending, Assert.Single(rig.Endpoints).Status);
        rig.Write();
        Assert.False(rig.IsAnswered(request));
        rig.Program();
        EndpointState endpoint = rig.Granted(request);
        Assert.Equal(EndpointStatus.Ready, endpoint.Status);
        Assert.Equal(("web", "eth0", true), (endpoint.Name, endpoint.Interface, endpoint.GatewaySlot > 1));
        Assert.Empty(rig.Asked);
    }

    [Fact]
    public void The_kernel_s_word_may_come_before_the_disk_s()
    {
        rig.DiskAnswers = false;
        long request = rig.Attach(rig.Command("web"));
        Assert.False(rig.IsAnswered(request));
        rig.Write();
        rig.Granted(request);
    }

    [Fact]
    public void An_endpoint_is_in_the_data_plane_the_zones_and_the_gossip_at_once()
    {
        EndpointState endpoint = rig.Granted(rig.Attach(rig.Command("web") with { Aliases = ["www"] }));
        LocalEndpoint local = Assert.Single(rig.Mind.Inputs().Endpoints);
        Assert.Equal((endpoint.Id, endpoint.Ipv4, endpoint.Mac), (local.Id, local.Ipv4, local.Mac));
        Zone zone = Assert.Single(rig.Mind.SandboxZones()[new("web")]);
        Assert.Equal(["web", "www"], Assert.Single(zone.Endpoints).Names);
        Assert.Equal(endpoint.Id.ToString(), Assert.Single(rig.Mind.Gossip.Entries(rig.Blue.Id)).Key);
    }

    [Fact]
    public void What_the_user_gave_is_what_the_endpoint_gets()
    {
        MacAddress mac = new(0x0242_0000_0001);
        EndpointState endpoint = rig.Granted(rig.Attach(rig.Command("/run/netns/Some.Box") with
        {
            Name = "db",
            Interface = "lan7",
            Mac = mac,
            Ipv4 = IPAddress.Parse("10.0.0.9"),
        }));
        Assert.Equal(("db", "lan7", mac, "10.0.0.9"), (endpoint.Name, endpoint.Interface, endpoint.Mac, endpoint.Ipv4!.ToString()));
    }

    [Fact]
    public void Without_a_name_the_sandbox_s_own_is_made_one() =>
        Assert.Equal("some-box", rig.Granted(rig.Attach(rig.Command("/run/netns/Some.Box"))).Name);

    [Fact]
    public void Interfaces_are_numbered_past_those_in_use()
    {
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        EndpointState first = rig.Granted(rig.Attach(rig.Command("web") with { InterfacesInUse = ["eth0"] }));
        EndpointState second = rig.Granted(rig.Attach(rig.Command("web") with { Network = "green", InterfacesInUse = ["eth0"] }));
        Assert.Equal(("eth1", "eth2"), (first.Interface, second.Interface));
        Assert.Equal(first.GatewaySlot, second.GatewaySlot);
    }

    [Fact]
    public void A_sandbox_on_two_networks_sees_both_zones_in_the_order_of_attaching()
    {
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        rig.Attach(rig.Command("web") with { Network = "green" });
        rig.Sleep(TimeSpan.FromMilliseconds(10));
        rig.Attach(rig.Command("web"));
        Assert.Equal(["green", "blue"], rig.Mind.SandboxZones()[new("web")].Select(static z => z.Name));
    }

    [Fact]
    public void On_an_internal_network_no_place_on_the_gateway_bridge_is_taken()
    {
        rig.World.Create(rig.World.Network("inner", "10.2.0.0/24") with { Internal = true });
        rig.Assign();
        Assert.Equal(0, rig.Granted(rig.Attach(rig.Command("web") with { Network = "inner" })).GatewaySlot);
    }

    [Fact]
    public void Both_families_come_from_one_segment()
    {
        NodeRig dual = Ready("10.5.0.0/24", "fd00:5::/64");
        EndpointState endpoint = dual.Attached("web");
        Assert.NotNull(endpoint.Ipv4);
        Assert.NotNull(endpoint.Ipv6);
    }

    [Fact]
    public void A_detach_is_answered_when_the_disk_and_the_kernel_have_it()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.DiskAnswers = rig.KernelAnswers = false;
        long request = rig.Detach(endpoint.Name);
        Assert.Empty(rig.Endpoints);
        Assert.False(rig.IsAnswered(request));
        rig.Write();
        Assert.False(rig.IsAnswered(request));
        rig.Program();
        Assert.Equal(endpoint.Id, rig.Granted(request).Id);
        Assert.Empty(rig.Mind.Gossip.Entries(rig.Blue.Id));
        Assert.Empty(rig.Mind.Inputs().Networks);
    }

    [Fact]
    public void A_detach_names_its_endpoint_by_id_prefix_name_or_sandbox()
    {
        rig.Granted(rig.Detach(rig.Attached("a").Id.ToString()));
        rig.Granted(rig.Detach(rig.Attached("b").Id.ToString()[..8]));
        rig.Attached("c");
        rig.Granted(rig.Detach("C"));
        rig.Attached("d");
        rig.Granted(rig.Detach("", "blue", "d"));
        Assert.Empty(rig.Endpoints);
    }

    [Fact]
    public void Detach_all_leaves_nothing()
    {
        rig.Attached("a");
        rig.Attached("b");
        rig.Do((n, now, e) => n.DetachAll(now, e));
        Assert.Empty(rig.Endpoints);
        Assert.Empty(rig.Mind.Gossip.Entries(rig.Blue.Id));
        Assert.Equal(2, rig.Mind.Addresses.Resting.Count());
    }

    [Fact]
    public void A_removed_network_takes_its_endpoints_along()
    {
        rig.Attached("a");
        rig.World.Do(rig.World.Intent.RemoveNetwork("blue"));
        rig.Assign();
        Assert.Empty(rig.Endpoints);
        Assert.Contains(rig.Events, static e => e is NodeEvent.EndpointChanged { Action: "remove" });
        Assert.Empty(rig.Mind.Inputs().Endpoints);
        Assert.Empty(rig.Disk!.Endpoints);
    }

    [Fact]
    public void An_attach_that_is_detached_before_it_is_confirmed_is_refused()
    {
        rig.KernelAnswers = false;
        long attach = rig.Attach(rig.Command("web"));
        long detach = rig.Detach("web");
        rig.Program();
        rig.Granted(detach);
        rig.Refused(attach, RefusalKind.Conflict, "meanwhile");
        Assert.Empty(rig.Endpoints);
    }

    [Fact]
    public void A_late_failure_of_a_detached_endpoint_does_not_touch_its_address_s_next_owner()
    {
        rig.KernelAnswers = false;
        long first = rig.Attach(rig.Command("one") with { Ipv4 = IPAddress.Parse("10.0.0.9") });
        EndpointState gone = Assert.Single(rig.Endpoints);
        rig.Detach("one");
        rig.Attach(rig.Command("two") with { Ipv4 = IPAddress.Parse("10.0.0.9") });
        rig.Do((n, now, e) => n.Programmed(n.DataplaneRevision, [new(gone.Id, "no such namespace", true)], now, e));
        rig.Refused(first, RefusalKind.Conflict, "meanwhile");
        Assert.Equal("two", Assert.Single(rig.Endpoints).Name);
        Assert.Empty(rig.Mind.Addresses.Resting);
    }

    internal static NodeRig Ready(params string[] subnets)
    {
        NodeRig rig = new(null, subnets);
        rig.Assign();
        return rig;
    }
}
