using Google.Protobuf;
using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Cluster.Intents;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public class CreateNetworkTests
{
    [Fact]
    public void A_name_is_enough()
    {
        World world = new();
        NetworkObject network = world.Create("blue");
        Segment segment = Assert.Single(network.Segments);
        Assert.Equal("10.0.0.0/24", segment.Ipv4.Subnet);
        Assert.Equal("10.0.0.1", segment.Ipv4.Gateway);
        Assert.Equal("", segment.Ipv4.Range);
        Assert.Null(segment.Ipv6);
        Assert.Equal(4096u, segment.Vni);
        Assert.Equal(world.Now, network.CreatedUnixMs);
        Assert.Equal("10.0.0.128/28", Assert.Single(world.LeasesOf(network)).Block);
        Assert.Equal("10.0.1.0/24", world.Create("green").Segments[0].Ipv4.Subnet);
    }

    [Fact]
    public void Everything_asked_for_is_kept()
    {
        World world = new();
        NetworkSpec spec = world.Network("blue", "10.9.0.0/16", "fd00:9::/64", "10.8.0.0/24", "fd00:8::/64") with
        {
            Gateways = ["10.9.0.254", "fd00:8::fe"],
            Ranges = ["10.9.7.0/24", "fd00:9:0:0:1::/80"],
            Vni = 77,
            Mtu = 1400,
            Labels = [new("b", "2"), new("a", "1")],
            Internal = true,
            Attachable = true,
        };
        NetworkObject network = world.Create(spec);

        Assert.Equal(2, network.Segments.Count);
        Assert.Equal("10.9.0.254", network.Segments[0].Ipv4.Gateway);
        Assert.Equal("10.9.7.0/24", network.Segments[0].Ipv4.Range);
        Assert.Equal("fd00:9::1", network.Segments[0].Ipv6.Gateway);
        Assert.Equal("fd00:9:0:0:1::/80", network.Segments[0].Ipv6.Range);
        Assert.Equal("10.8.0.1", network.Segments[1].Ipv4.Gateway);
        Assert.Equal("fd00:8::fe", network.Segments[1].Ipv6.Gateway);
        Assert.Equal([77u, 4096u], network.Segments.Select(segment => segment.Vni));
        Assert.Equal(1400u, network.Mtu);
        Assert.Equal(["a", "b"], network.Labels.Keys);
        Assert.True(network.Internal && network.Attachable);
        Assert.Equal(4, world.LeasesOf(network).Length);
        Check(world.State);
    }

    [Fact]
    public void Ipv6_is_cut_from_a_pool_of_the_cluster_s_own()
    {
        World world = new();
        NetworkObject blue = world.Create(world.Network("blue") with { Ipv6 = true });
        NetworkObject green = world.Create(world.Network("green", "10.77.0.0/16") with { Ipv6 = true });
        Prefix pool = Occupancy.UniqueLocalPool("cluster1");
        Prefix first = Prefix.Parse(blue.Segments[0].Ipv6.Subnet);
        Prefix second = Prefix.Parse(green.Segments[0].Ipv6.Subnet);

        Assert.Equal(48, pool.Length);
        Assert.True(Prefix.Parse("fd00::/8").Contains(pool));
        Assert.NotEqual(pool, Occupancy.UniqueLocalPool("cluster2"));
        Assert.True(pool.Contains(first) && pool.Contains(second) && !first.Overlaps(second));
        Assert.Equal(64, first.Length);
        Assert.Equal(112, Prefix.Parse(world.LeasesOf(blue).Last().Block).Length);
    }

    [Fact]
    public void A_given_Ipv6_pool_is_used_instead()
    {
        World world = new("10.0.0.0/8", "fd77::/56");
        NetworkObject blue = world.Create(world.Network("blue") with { Ipv6 = true });
        Assert.Equal("fd77::/64", blue.Segments[0].Ipv6.Subnet);
    }

    [Fact]
    public void Pools_skip_networks_routes_and_hosts()
    {
        World world = new("10.0.0.0/21", "172.30.0.0/23", "192.0.2.0/24");
        world.AddNode(
            2, Route("0.0.0.0/0"), Route("128.0.0.0/1", "tun0"), Route("10.0.1.128/25"), Route("10.0.6.0/23"),
            Route("10.0.2.0/24", "ovg0"), Route("fe80::/64"));
        world.Create("given", "10.0.4.0/23");

        Assert.Equal("10.0.0.0/24", world.Create("a").Segments[0].Ipv4.Subnet);
        Assert.Equal("10.0.2.0/24", world.Create("b").Segments[0].Ipv4.Subnet);
        Assert.Equal("10.0.3.0/24", world.Create("c").Segments[0].Ipv4.Subnet);
        Assert.Equal("172.30.0.0/24", world.Create("d").Segments[0].Ipv4.Subnet);
        Assert.Equal("172.30.1.0/24", world.Create("e").Segments[0].Ipv4.Subnet);
        Refused(
            world.Intent.CreateNetwork(world.Network("f")), RefusalKind.Exhausted,
            "No /24 is free in 10.0.0.0/21, 172.30.0.0/23, 192.0.2.0/24", "--subnet");
    }

    [Fact]
    public void An_explicit_subnet_on_top_of_something_names_it()
    {
        World world = new();
        world.AddNode(2, Route("10.40.0.0/16", "tun3"));
        world.Create("blue", "10.50.0.0/24");
        Refused(
            world.Intent.CreateNetwork(world.Network("x", "10.40.3.0/24")), RefusalKind.Conflict,
            "'x'", "10.40.3.0/24 overlaps the route 10.40.0.0/16 on 'tun3' of host host2");
        Refused(
            world.Intent.CreateNetwork(world.Network("x", "10.0.0.0/8")), RefusalKind.Conflict, "overlaps");
        Refused(
            world.Intent.CreateNetwork(world.Network("x", "10.50.0.0/16")), RefusalKind.Conflict,
            "the subnet 10.50.0.0/24 of network 'blue'");
        Refused(
            world.Intent.CreateNetwork(world.Network("x", "192.0.2.0/24")), RefusalKind.Conflict,
            "the data path address 192.0.2.1 of host host1");
    }

    [Theory]
    [InlineData("10.0.0.5/24", "10.0.0.0/24")]
    [InlineData("10.0.0.0", "not a prefix")]
    [InlineData("10.0.0.0/33", "not a prefix")]
    [InlineData("\u001b[31m", "not a prefix")]
    [InlineData("10.0.0.0/31", "length from 8 to 30")]
    [InlineData("10.0.0.0/7", "length from 8 to 30")]
    [InlineData("fd00::/126", "length from 8 to 124")]
    [InlineData("127.1.0.0/16", "loopback")]
    [InlineData("169.254.8.0/24", "link-local")]
    [InlineData("239.0.0.0/24", "multicast")]
    [InlineData("0.1.0.0/16", "this network")]
    [InlineData("fe80::/64", "link-local")]
    [InlineData("ff02::/64", "multicast")]
    public void Impossible_subnets_are_refused(string subnet, string fragment)
    {
        World world = new();
        Refused(world.Intent.CreateNetwork(world.Network("x", subnet)), RefusalKind.Invalid, fragment);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-a")]
    [InlineData(".a")]
    [InlineData("a b")]
    [InlineData("a/b")]
    [InlineData("é")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public void Impossible_names_are_refused(string name)
    {
        World world = new();
        Refused(world.Intent.CreateNetwork(world.Network(name)), RefusalKind.Invalid, "begins with a letter or digit");
    }

    [Fact]
    public void Names_are_unique()
    {
        World world = new();
        NetworkObject blue = world.Create("blue");
        Refused(world.Intent.CreateNetwork(world.Network("blue")), RefusalKind.Conflict, blue.Id, "network rm blue");
        world.Create("Blue");
        world.Create(new string('a', 63));
    }

    [Fact]
    public void Subnets_gateways_and_ranges_must_fit_each_other()
    {
        World world = new();
        NetworkSpec spec = world.Network("x", "10.9.0.0/24");
        void Invalid(NetworkSpec wrong, string fragment) =>
            Refused(world.Intent.CreateNetwork(wrong), RefusalKind.Invalid, fragment);

        Invalid(world.Network("x", "10.9.0.0/16", "10.9.1.0/24"), "10.9.0.0/16 and 10.9.1.0/24 overlap");
        Invalid(world.Network("x", [.. Enumerable.Range(1, 9).Select(i => $"10.{i}.0.0/16")]), "More than 8");
        Invalid(world.Network("x") with { Gateways = ["10.0.0.1"] }, "without a subnet");
        Invalid(world.Network("x") with { Ranges = ["10.0.0.0/28"] }, "without a subnet");
        Invalid(spec with { Gateways = ["10.9.0"] }, "'10.9.0' is not an address");
        Invalid(spec with { Gateways = ["10.8.0.1"] }, "in none of the subnets 10.9.0.0/24");
        Invalid(spec with { Gateways = ["10.9.0.0"] }, "network's own");
        Invalid(spec with { Gateways = ["10.9.0.255"] }, "broadcast");
        Invalid(spec with { Gateways = ["10.9.0.1", "10.9.0.2"] }, "two gateways");
        Invalid(spec with { Ranges = ["10.8.0.0/28"] }, "in none of the subnets 10.9.0.0/24");
        Invalid(spec with { Ranges = ["10.9.0.0/16"] }, "in none of the subnets 10.9.0.0/24");
        Invalid(spec with { Ranges = ["10.9.0.0/28", "10.9.0.16/28"] }, "two ranges");
        Invalid(spec with { Ranges = ["10.9.0.1/32"] }, "holds no address");
        Invalid(spec with { Ranges = ["10.9.0.17/28"] }, "10.9.0.16/28");
    }

    [Theory]
    [InlineData(575u, false, "576 to 65535")]
    [InlineData(65536u, false, "576 to 65535")]
    [InlineData(1279u, true, "1280 to 65535")]
    public void Impossible_MTUs_are_refused(uint mtu, bool ipv6, string fragment)
    {
        World world = new();
        Refused(
            world.Intent.CreateNetwork(world.Network("x") with { Mtu = mtu, Ipv6 = ipv6 }), RefusalKind.Invalid,
            fragment);
    }

    [Theory]
    [InlineData(576u, false)]
    [InlineData(65535u, false)]
    [InlineData(1280u, true)]
    public void Possible_MTUs_are_kept(uint mtu, bool ipv6)
    {
        World world = new();
        Assert.Equal(mtu, world.Create(world.Network("x") with { Mtu = mtu, Ipv6 = ipv6 }).Mtu);
    }

    [Fact]
    public void Labels_are_bounded()
    {
        World world = new();
        void Invalid(string fragment, params KeyValuePair<string, string>[] labels) => Refused(
            world.Intent.CreateNetwork(world.Network("x") with { Labels = [.. labels] }), RefusalKind.Invalid,
            fragment);

        Invalid("'' is not a label's key", new KeyValuePair<string, string>("", "x"));
        Invalid("not a label's key", new KeyValuePair<string, string>("a=b", "x"));
        Invalid("given twice", new("a", "1"), new("a", "2"));
        Invalid("longer than", new KeyValuePair<string, string>("a", new string('x', 1025)));
        Invalid(
            "more than 64",
            [.. Enumerable.Range(0, 65).Select(i => new KeyValuePair<string, string>($"k{i}", ""))]);
    }

    [Fact]
    public void VNIs_go_round_and_come_back_late()
    {
        World world = new();
        NetworkObject a = world.Create("a");
        NetworkObject given = world.Create(world.Network("given") with { Vni = 4097 });
        NetworkObject b = world.Create("b");
        Assert.Equal([4096u, 4097u, 4098u], new[] { a, given, b }.Select(network => network.Segments[0].Vni));

        world.Do(world.Intent.RemoveNetwork("b"));
        Assert.Equal(4099u, world.Create("c").Segments[0].Vni);

        ClusterObject cluster = world.State.Cluster!.Clone();
        cluster.NextVni = Vni.Max;
        Transaction jump = new();
        jump.Actions.Add(new StoreAction { Update = new() { Cluster = cluster } });
        world.Apply(jump);
        NetworkObject last = world.Create("last", "10.91.0.0/24", "10.92.0.0/24");
        Assert.Equal([Vni.Max, 4098u], last.Segments.Select(segment => segment.Vni));
    }

    [Fact]
    public void A_VNI_has_one_network()
    {
        World world = new();
        world.Create(world.Network("blue") with { Vni = 7 });
        Refused(
            world.Intent.CreateNetwork(world.Network("x") with { Vni = 7 }), RefusalKind.Conflict,
            "'blue' has the VNI 7");
        Refused(world.Intent.CreateNetwork(world.Network("x") with { Vni = 1 << 24 }), RefusalKind.Invalid, "16777215");
    }

    [Fact]
    public void A_refused_network_leaves_no_trace()
    {
        World world = new();
        byte[] before = world.Store.Snapshot().ToByteArray();
        Refused(world.Intent.CreateNetwork(world.Network("x", "10.0.0.1/8")), RefusalKind.Invalid);
        Assert.Equal(before, world.Store.Snapshot().ToByteArray());
    }

    [Fact]
    public void Removing_a_network_removes_all_that_is_its_own()
    {
        World world = new();
        NetworkObject blue = world.Create("blue");
        NetworkObject green = world.Create("green");
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), new EndpointId(5).ToString()));
        NetworkObject gone = world.Do(world.Intent.RemoveNetwork("blue"));

        Assert.Equal(blue.Id, gone.Id);
        Assert.Empty(world.State.LeasesOf(blue.Id));
        Assert.Empty(world.State.Reservations);
        Assert.Single(world.State.LeasesOf(green.Id));
        Refused(world.Intent.RemoveNetwork("blue"), RefusalKind.NotFound, "'blue'", "network ls");
    }
}
