using System.Collections.Immutable;
using System.Net;
using Overlay.Cluster;
using Overlay.Gossip;
using Overlay.Node;

namespace Overlay.Tests.Node;

/// <summary>Every way in which an attach or detach is refused; each changes nothing.</summary>
public sealed class RefusalTests
{
    private readonly NodeRig rig = AttachTests.Ready("10.0.0.0/24", "fd00::/64");

    [Fact]
    public void An_unknown_network() => Refused(rig.Command("web") with { Network = "grey" }, RefusalKind.NotFound, "grey");

    [Fact]
    public void A_sandbox_that_is_on_it_already()
    {
        EndpointState first = rig.Attached("web");
        Refused(rig.Command("web", "other"), RefusalKind.Conflict, "attached already", "detach", first.Ipv4!.ToString());
    }

    [Theory]
    [InlineData("/run/netns/-")]
    [InlineData("/proc/1/ns/ünsinn")]
    public void A_sandbox_of_whose_name_no_label_can_be_made(string sandbox) =>
        Refused(rig.Command(sandbox), RefusalKind.Invalid, "--name");

    [Theory]
    [InlineData("a.b")]
    [InlineData("-a")]
    [InlineData("a b")]
    public void A_name_that_is_no_label(string name) => Refused(rig.Command("web", name), RefusalKind.Invalid, "DNS label");

    [Fact]
    public void A_name_of_64_letters() => Refused(rig.Command("web", new('a', 64)), RefusalKind.Invalid, "63");

    [Fact]
    public void An_alias_that_is_no_label_and_too_many_of_them()
    {
        Refused(rig.Command("web") with { Aliases = ["fine", "not_fine_"] }, RefusalKind.Invalid, "not_fine_");
        ImmutableArray<string> many = [.. Enumerable.Range(0, 17).Select(static i => $"a{i}")];
        Refused(rig.Command("web") with { Aliases = many }, RefusalKind.Invalid, "17", "16");
    }

    [Fact]
    public void A_name_that_an_endpoint_here_has()
    {
        rig.Attached("web");
        Refused(rig.Command("box", "WEB"), RefusalKind.Conflict, "on this node", "--name");
    }

    [Fact]
    public void An_interface_that_the_sandbox_has()
    {
        Refused(
            rig.Command("web") with { Interface = "eth0", InterfacesInUse = ["eth0"] }, RefusalKind.Conflict, "eth0", "--interface");
        rig.World.Create("green", "10.1.0.0/24");
        rig.Assign();
        rig.Attached("web");
        Refused(rig.Command("web") with { Network = "green", Interface = "eth0" }, RefusalKind.Conflict, "eth0");
    }

    [Theory]
    [InlineData("10.9.0.1", "outside", RefusalKind.Invalid)]
    [InlineData("10.0.0.1", "gateway", RefusalKind.Invalid)]
    [InlineData("10.0.0.255", "broadcast", RefusalKind.Invalid)]
    public void An_address_that_cannot_be_given(string address, string why, RefusalKind kind) =>
        Refused(rig.Command("web") with { Ipv4 = IPAddress.Parse(address) }, kind, why);

    [Fact]
    public void An_address_that_an_endpoint_here_has()
    {
        EndpointState first = rig.Attached("web");
        Refused(rig.Command("box") with { Ipv4 = first.Ipv4 }, RefusalKind.Conflict, first.Ipv4!.ToString());
    }

    [Fact]
    public void An_address_in_another_node_s_block()
    {
        string foreign = rig.World.LeasesOf(rig.Blue, Cluster.World.NodeIdOf(1)).First(static l => l.Block.Contains('.')).Block;
        IPAddress inside = NextOf(IPNetwork.Parse(foreign).BaseAddress, 3);
        Refused(rig.Command("web") with { Ipv4 = inside }, RefusalKind.Conflict, "host1");
    }

    [Fact]
    public void Addresses_in_different_segments()
    {
        NodeRig two = AttachTests.Ready("10.1.0.0/24", "10.2.0.0/24", "fd01::/64", "fd02::/64");
        two.Refused(
            two.Command("web") with { Ipv4 = IPAddress.Parse("10.1.0.9"), Ipv6 = IPAddress.Parse("fd02::9") },
            RefusalKind.Invalid, "different segments");
        Assert.Empty(two.Endpoints);
    }

    [Fact]
    public void No_place_on_the_gateway_bridge()
    {
        for (int i = 0; i < 27; i++)
        {
            rig.Attached($"box{i}");
        }

        Refused(rig.Command("web"), RefusalKind.Exhausted, "172.31.0.0/27", "gateway-pool");
    }

    [Fact]
    public void More_endpoints_than_a_node_may_announce()
    {
        NodeRig small = new(SwimOptions.Lan with { MaxEntriesPerOwner = 2 });
        small.Assign();
        small.Attached("a");
        small.Attached("b");
        small.Refused(small.Command("c"), RefusalKind.Exhausted, "announces as much as it may");
        Assert.Equal(2, small.Endpoints.Length);
        Assert.Equal(2, small.Mind.Gossip.Entries(small.Blue.Id).Count());
    }

    [Fact]
    public void A_disk_that_does_not_take_it()
    {
        rig.DiskError = "no space left on device";
        Refused(rig.Command("web"), RefusalKind.Unavailable, "no space left on device");
        rig.DiskError = null;
        rig.Attached("web");
    }

    [Fact]
    public void A_detach_that_the_disk_does_not_take_says_so()
    {
        EndpointState endpoint = rig.Attached("web");
        rig.DiskError = "input/output error";
        rig.Refused(rig.Detach(endpoint.Name), RefusalKind.Unavailable, "Cannot detach web", "input/output error");
    }

    [Fact]
    public void A_kernel_that_refuses()
    {
        rig.KernelRefuses["web"] = ("EPERM", false);
        Refused(rig.Command("web"), RefusalKind.Unavailable, "EPERM");
        rig.KernelRefuses["web"] = ("no such namespace", true);
        Refused(rig.Command("web"), RefusalKind.NotFound, "sandbox create");
        Assert.Empty(rig.Mind.Gossip.Entries(rig.Blue.Id));
    }

    [Fact]
    public void A_detach_of_what_is_not_here()
    {
        rig.Refused(rig.Detach("nobody"), RefusalKind.NotFound, "nobody", "endpoint ls");
        rig.Refused(rig.Detach(""), RefusalKind.NotFound);
        rig.Refused(rig.Detach("", "grey", "web"), RefusalKind.NotFound, "grey");
        rig.Refused(rig.Detach("", "blue", "web"), RefusalKind.NotFound, "web", "blue");
    }

    [Fact]
    public void A_detach_by_a_beginning_that_several_share()
    {
        rig.World.Create(rig.World.Network("inner", "10.7.0.0/24") with { Internal = true });
        rig.Assign();
        for (int i = 0; i < 33; i++)
        {
            rig.Attach(rig.Command($"box{i}") with { Network = "inner" });
        }

        string shared = rig.Endpoints.GroupBy(static e => e.Id.ToString()[..1]).First(static g => g.Count() > 1).Key;
        rig.Refused(rig.Detach(shared), RefusalKind.Invalid, "more than one");
        Assert.Equal(33, rig.Endpoints.Length);
    }

    /// <summary>Refused, and nothing of it is left: no endpoint, no address in use or at rest, no name, no gossip.</summary>
    private void Refused(AttachCommand command, RefusalKind kind, params string[] fragments)
    {
        string before = Held();
        rig.Refused(command, kind, fragments);
        Assert.Equal(before, Held());
    }

    private string Held() => string.Join(' ', rig.Endpoints.Select(static e => $"{e.Id}={e.Ipv4},{e.Ipv6}"))
        + string.Join(' ', rig.Mind.Gossip.Entries(rig.Blue.Id).Select(static e => e.Key));

    private static IPAddress NextOf(IPAddress address, byte by)
    {
        byte[] bytes = address.GetAddressBytes();
        bytes[^1] += by;
        return new(bytes);
    }
}
