using Overlay.Cluster;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.V1;
using static Overlay.Tests.Cluster.World;

namespace Overlay.Tests.Cluster;

public class AddressIntentTests
{
    private static readonly string Endpoint = new EndpointId(7).ToString();
    private static readonly string OtherEndpoint = new EndpointId(8).ToString();

    [Fact]
    public void A_lease_is_for_nodes_networks_and_families_that_exist()
    {
        World world = new();
        NetworkObject blue = world.Create("blue");
        Refused(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(9)), RefusalKind.NotInCluster, NodeIdOf(9));
        Refused(world.Intent.LeaseBlock("gone", 0, false, NodeIdOf(1)), RefusalKind.NotFound, "'gone'");
        Refused(world.Intent.LeaseBlock(blue.Id, 0, true, NodeIdOf(1)), RefusalKind.Invalid, "IPv6");
        Refused(world.Intent.LeaseBlock(blue.Id, 1, false, NodeIdOf(1)), RefusalKind.Invalid, "Segment 1");
        Refused(world.Intent.LeaseBlock(blue.Id, uint.MaxValue, false, NodeIdOf(1)), RefusalKind.Invalid, "Segment");
    }

    [Fact]
    public void Exhaustion_names_network_subnet_and_holders()
    {
        World world = new();
        for (ulong i = 2; i <= 12; i++)
        {
            world.AddNode(i);
        }

        NetworkObject blue = world.Create("blue", "10.9.0.0/26");
        int turn = 0;
        while (!world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)).IsRefused)
        {
            world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf((ulong)(turn++ % 12) + 1)));
        }

        Check(world.State);
        UInt128 leased = world.LeasesOf(blue).Aggregate(
            UInt128.Zero, (sum, lease) => sum + Prefix.Parse(lease.Block).Count);
        Assert.True(leased >= 61);
        Refused(
            world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)), RefusalKind.Exhausted,
            "host1", "'blue'", "10.9.0.0/26", "node host2 holds", "4 other nodes hold the rest", "--subnet");
    }

    [Fact]
    public void A_static_address_outside_the_blocks_is_reserved()
    {
        World world = new();
        NetworkObject blue = world.Create(world.Network("blue") with { Ipv6 = true });
        ReservationObject reservation =
            world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), Endpoint));
        Assert.Equal($"{blue.Id}/10.0.0.200", reservation.Id);
        Assert.True(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), Endpoint).Value.IsEmpty);

        string v6 = Prefix.Parse(blue.Segments[0].Ipv6.Subnet).Last.ToString();
        Assert.Equal(v6, world.Do(world.Intent.ReserveAddress(blue.Id, v6, NodeIdOf(1), Endpoint)).Address);
        Check(world.State);
    }

    [Fact]
    public void Reservations_are_obstacles_to_blocks()
    {
        World world = new();
        NetworkObject blue = world.Create("blue", "10.9.0.0/28");
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.9.0.9", NodeIdOf(1), Endpoint));
        while (!world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)).IsRefused)
        {
            world.Do(world.Intent.LeaseBlock(blue.Id, 0, false, NodeIdOf(1)));
        }

        Check(world.State);
    }

    [Fact]
    public void Static_addresses_that_cannot_be_are_refused()
    {
        World world = new();
        world.AddNode(2);
        NetworkObject blue = world.Create("blue");
        Outcome<Proposal<ReservationObject>> Reserve(string address, ulong node = 2, string? endpoint = null) =>
            world.Intent.ReserveAddress(blue.Id, address, NodeIdOf(node), endpoint ?? OtherEndpoint);
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), Endpoint));

        Refused(Reserve("10.0.0"), RefusalKind.Invalid, "'10.0.0' is not an address");
        Refused(Reserve("10.0.0.0200"), RefusalKind.Invalid, "not an address");
        Refused(Reserve("10.0.1.5"), RefusalKind.Invalid, "outside the subnet of network 'blue', 10.0.0.0/24");
        Refused(Reserve("fd00::5"), RefusalKind.Invalid, "no IPv6 subnet");
        Refused(Reserve("10.0.0.0"), RefusalKind.Invalid, "network's own");
        Refused(Reserve("10.0.0.1"), RefusalKind.Invalid, "gateway");
        Refused(Reserve("10.0.0.255"), RefusalKind.Invalid, "broadcast");
        Refused(Reserve("10.0.0.133"), RefusalKind.Conflict, "block 10.0.0.128/28 that node host1 has leased");
        Refused(Reserve("10.0.0.148"), RefusalKind.Conflict, "host2 has leased and gives by itself");
        Refused(Reserve("10.0.0.200"), RefusalKind.Conflict, Endpoint, "node host1 has 10.0.0.200");
        Refused(Reserve("10.0.0.200", 1), RefusalKind.Conflict, Endpoint);
        Refused(Reserve("10.0.0.201", 2, "no endpoint"), RefusalKind.Invalid, "not an endpoint id");
        Refused(Reserve("10.0.0.201", 9), RefusalKind.NotInCluster);
        Refused(world.Intent.ReserveAddress("gone", "10.0.0.9", NodeIdOf(1), Endpoint), RefusalKind.NotFound);
    }

    [Fact]
    public void A_released_address_rests_for_others_and_comes_back_to_its_node()
    {
        World world = new();
        world.AddNode(2);
        NetworkObject blue = world.Create("blue");
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), Endpoint));
        Refused(
            world.Intent.ReleaseAddress(blue.Id, "10.0.0.200", NodeIdOf(2)), RefusalKind.NotPermitted, "node host1");
        Refused(world.Intent.ReleaseAddress(blue.Id, "10.0.0.201", NodeIdOf(1)), RefusalKind.NotFound);
        Refused(world.Intent.ReleaseAddress(blue.Id, "x", NodeIdOf(1)), RefusalKind.NotFound);

        world.Do(world.Intent.ReleaseAddress(blue.Id, "10.0.0.200", NodeIdOf(1)));
        Assert.True(world.Intent.ReleaseAddress(blue.Id, "10.0.0.200", NodeIdOf(1)).Value.IsEmpty);
        world.Now += 20_000;
        Refused(
            world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(2), OtherEndpoint), RefusalKind.Conflict,
            "rests for 40 s more", "host1");

        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), OtherEndpoint));
        Assert.Equal(OtherEndpoint, Assert.Single(world.State.Reservations).EndpointId);
        Assert.Equal(0, Assert.Single(world.State.Reservations).ReleasedUnixMs);

        world.Do(world.Intent.ReleaseAddress(blue.Id, "10.0.0.200", NodeIdOf(1)));
        world.Now += Quarantine;
        world.Apply(world.Intent.SweepQuarantine());
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(2), Endpoint));
    }

    [Fact]
    public void Addresses_of_a_removed_node_rest()
    {
        World world = new();
        world.AddNode(2);
        NetworkObject blue = world.Create("blue");
        world.Do(world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(2), Endpoint));
        world.Do(world.Intent.RemoveNode("host2", force: false));
        Refused(
            world.Intent.ReserveAddress(blue.Id, "10.0.0.200", NodeIdOf(1), Endpoint), RefusalKind.Conflict,
            "rests for 60 s more", NodeIdOf(2));
        Refused(
            world.Intent.ReserveAddress(blue.Id, "10.0.0.148", NodeIdOf(1), Endpoint), RefusalKind.Conflict,
            "rests for 60 s");
    }
}
