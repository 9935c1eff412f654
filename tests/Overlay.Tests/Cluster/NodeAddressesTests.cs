using System.Net;
using Overlay.Cluster;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

public class NodeAddressesTests
{
    private static readonly NodeId Self = new(5);
    private static readonly NetworkId Blue = new(77);

    [Fact]
    public void Addresses_come_in_turn_without_special_ones()
    {
        NodeAddresses addresses = Make("10.0.0.0/29");
        Assert.Equal(
            ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"],
            Enumerable.Range(0, 6).Select(_ => addresses.Allocate(Blue, 0, false, 0).Address!.ToString()));
        Assert.True(addresses.Allocate(Blue, 0, false, 0).NeedsManager);
        Assert.Equal("fd00::2", Make("fd00::/112").Allocate(Blue, 0, true, 0).Address!.ToString());
    }

    [Fact]
    public void A_released_address_rests_then_comes_back_late()
    {
        NodeAddresses addresses = Make("10.0.0.8/30");
        IPAddress first = addresses.Allocate(Blue, 0, false, 0).Address!;
        addresses.Release(Blue, first, 1000);
        Assert.Equal("10.0.0.9", addresses.Allocate(Blue, 0, false, 1000).Address!.ToString());
        Assert.Equal("10.0.0.10", addresses.Allocate(Blue, 0, false, 1000).Address!.ToString());
        Assert.Equal("10.0.0.11", addresses.Allocate(Blue, 0, false, 1000).Address!.ToString());
        Assert.True(addresses.Allocate(Blue, 0, false, 60_999).NeedsManager);
        Assert.Equal(first, addresses.Allocate(Blue, 0, false, 61_000).Address);
    }

    [Fact]
    public void Quarantine_can_be_set()
    {
        NodeAddresses addresses = Make("10.0.0.8/32");
        addresses.Quarantine = TimeSpan.FromSeconds(5);
        addresses.Release(Blue, addresses.Allocate(Blue, 0, false, 0).Address!, 0);
        Assert.True(addresses.Allocate(Blue, 0, false, 4_999).NeedsManager);
        Assert.NotNull(addresses.Allocate(Blue, 0, false, 5_000).Address);
    }

    [Fact]
    public void A_second_release_does_not_begin_or_prolong_a_rest()
    {
        NodeAddresses addresses = Make("10.0.0.8/32");
        IPAddress only = addresses.Allocate(Blue, 0, false, 0).Address!;
        addresses.Release(Blue, only, 0);
        addresses.Release(Blue, only, 50_000);
        addresses.Release(Blue, IPAddress.Parse("10.0.0.77"), 50_000);
        Assert.Equal(0, Assert.Single(addresses.Resting).ReleasedUnixMs);
        Assert.Equal(only, addresses.Allocate(Blue, 0, false, 60_000).Address);
    }

    [Fact]
    public void Static_addresses_of_own_blocks_are_claimed()
    {
        NodeAddresses addresses = Make("10.0.0.8/29");
        IPAddress nine = IPAddress.Parse("10.0.0.9");
        Assert.Equal(nine, addresses.Claim(Blue, 0, nine, 0).Address);
        World.Refused<IPAddress>(
            addresses.Claim(Blue, 0, nine, 0).Refusal!, RefusalKind.Conflict, "An endpoint of this node");
        Assert.DoesNotContain(
            nine, Enumerable.Range(0, 7).Select(_ => addresses.Allocate(Blue, 0, false, 0).Address!));

        // It rests for others, but not for the one who names it.
        addresses.Release(Blue, nine, 1000);
        Assert.True(addresses.Allocate(Blue, 0, false, 1000).NeedsManager);
        Assert.Equal(nine, addresses.Claim(Blue, 0, nine, 1001).Address);
        Assert.Empty(addresses.Resting);
    }

    [Fact]
    public void Static_addresses_elsewhere_are_the_managers_or_nobody_s()
    {
        NodeAddresses addresses = Make("10.0.0.8/29");
        AddressResult Claim(string text, int segment = 0) => addresses.Claim(Blue, segment, IPAddress.Parse(text), 0);

        Assert.True(Claim("10.0.0.77").NeedsManager);
        World.Refused<IPAddress>(Claim("10.0.0.1").Refusal!, RefusalKind.Invalid, "gateway");
        World.Refused<IPAddress>(Claim("10.0.0.255").Refusal!, RefusalKind.Invalid, "broadcast");
        World.Refused<IPAddress>(Claim("10.0.1.7").Refusal!, RefusalKind.Invalid, "outside the subnet");
        World.Refused<IPAddress>(Claim("10.1.0.7").Refusal!, RefusalKind.Invalid, "one segment");
        World.Refused<IPAddress>(Claim("10.0.0.9", 7).Refusal!, RefusalKind.Invalid, "segment 7");
        World.Refused<IPAddress>(
            addresses.Claim(new(1), 0, IPAddress.Parse("10.0.0.9"), 0).Refusal!, RefusalKind.NotFound, "network ls");
        World.Refused<IPAddress>(addresses.Allocate(Blue, 1, true, 0).Refusal!, RefusalKind.Invalid, "no IPv6 subnet");
    }

    [Fact]
    public void Only_own_held_leases_count()
    {
        NodeAddresses addresses = new(Self);
        LeaseObject foreign = Lease("10.0.0.16/29");
        foreign.NodeId = new NodeId(6).ToString();
        LeaseObject released = Lease("10.0.0.24/29");
        released.ReleasedUnixMs = 1;
        addresses.SetLeases([foreign, released], [Network()]);
        Assert.True(addresses.Allocate(Blue, 0, false, 0).NeedsManager);
        Assert.Empty(addresses.LowWater());
    }

    [Fact]
    public void More_leases_are_used_and_the_place_is_kept()
    {
        NodeAddresses addresses = Make("10.0.0.8/31");
        addresses.Allocate(Blue, 0, false, 0);
        addresses.SetLeases([Lease("10.0.0.8/31"), Lease("10.0.0.32/31")], [Network()]);
        Assert.Equal("10.0.0.9", addresses.Allocate(Blue, 0, false, 0).Address!.ToString());
        Assert.Equal("10.0.0.32", addresses.Allocate(Blue, 0, false, 0).Address!.ToString());
    }

    [Fact]
    public void Addresses_in_use_stay_in_use_while_an_assignment_is_missing()
    {
        NodeAddresses addresses = Make("10.0.0.8/31");
        addresses.Allocate(Blue, 0, false, 0);
        addresses.SetLeases([], []);
        Assert.NotNull(addresses.Allocate(Blue, 0, false, 0).Refusal);
        addresses.SetLeases([Lease("10.0.0.8/31")], [Network()]);
        Assert.Equal("10.0.0.9", addresses.Allocate(Blue, 0, false, 0).Address!.ToString());
        Assert.True(addresses.Allocate(Blue, 0, false, 0).NeedsManager);
    }

    [Fact]
    public void Low_water_is_less_than_a_quarter_free()
    {
        NodeAddresses addresses = Make("10.0.0.8/29");
        for (int i = 0; i < 6; i++)
        {
            addresses.Allocate(Blue, 0, false, 0);
            Assert.Empty(addresses.LowWater());
        }

        IPAddress seventh = addresses.Allocate(Blue, 0, false, 0).Address!;
        Assert.Equal((Blue, 0, false), Assert.Single(addresses.LowWater()));
        addresses.Release(Blue, seventh, 0);
        Assert.Single(addresses.LowWater());

        // What rests is not free; what has rested is.
        addresses.Release(Blue, IPAddress.Parse("10.0.0.8"), 59_999);
        Assert.Single(addresses.LowWater());
        addresses.Release(Blue, IPAddress.Parse("10.0.0.9"), 60_000);
        Assert.Empty(addresses.LowWater());
    }

    [Fact]
    public void A_restart_keeps_uses_rests_and_new_MACs()
    {
        NodeAddresses before = Make("10.0.0.8/30");
        IPAddress held = before.Allocate(Blue, 0, false, 0).Address!;
        IPAddress rested = before.Allocate(Blue, 0, false, 0).Address!;
        before.Release(Blue, rested, 10);
        MacAddress[] macs = [before.NewMac(), before.NewMac()];

        NodeAddresses after = new(Self);
        after.Restore(before.MacCounter, before.Resting, [(Blue, held)]);
        after.SetLeases([Lease("10.0.0.8/30")], [Network()]);
        Assert.Equal("10.0.0.10", after.Allocate(Blue, 0, false, 20).Address!.ToString());
        Assert.Equal("10.0.0.11", after.Allocate(Blue, 0, false, 20).Address!.ToString());
        Assert.True(after.Allocate(Blue, 0, false, 60_009).NeedsManager);
        Assert.Equal(rested, after.Allocate(Blue, 0, false, 60_010).Address);
        Assert.DoesNotContain(after.NewMac(), macs);
        Assert.True(after.MacCounter > before.MacCounter + 1000);
    }

    [Fact]
    public void MACs_are_local_unicast_and_never_repeat()
    {
        SortedSet<MacAddress> seen = [];
        for (ulong node = 1; node <= 20; node++)
        {
            NodeAddresses addresses = new(new(node));
            for (int i = 0; i < 1000; i++)
            {
                MacAddress mac = addresses.NewMac();
                Assert.True(seen.Add(mac), $"{mac} was made twice");
                Assert.StartsWith("02:", mac.ToString(), StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void Random_use_never_gives_an_address_twice_or_too_early()
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            Prng prng = new(seed);
            NodeAddresses addresses = Make("10.0.0.0/28", "10.0.0.64/29");
            SortedDictionary<IPAddress, long> releasedAt = new(AddressOrder.Instance);
            List<IPAddress> inUse = [];
            long now = 0;
            for (int step = 0; step < 300; step++)
            {
                now += prng.Next(8000);
                if (inUse.Count > 0 && prng.Chance(0.5))
                {
                    IPAddress gone = inUse[prng.Next(inUse.Count)];
                    inUse.Remove(gone);
                    addresses.Release(Blue, gone, now);
                    releasedAt[gone] = now;
                }
                else if (addresses.Allocate(Blue, 0, false, now).Address is { } given)
                {
                    Assert.DoesNotContain(given, inUse);
                    Assert.True(now - releasedAt.GetValueOrDefault(given, long.MinValue / 2) >= 60_000, $"seed {seed}");
                    inUse.Add(given);
                }

                if (prng.Chance(0.02))
                {
                    NodeAddresses restarted = new(Self);
                    restarted.Restore(addresses.MacCounter, addresses.Resting, inUse.Select(each => (Blue, each)));
                    restarted.SetLeases([Lease("10.0.0.0/28"), Lease("10.0.0.64/29")], [Network()]);
                    addresses = restarted;
                }
            }
        }
    }

    [Fact]
    public void What_was_given_refused_and_missing_is_counted_and_what_is_leased_is_told()
    {
        NodeAddresses addresses = Make("10.0.0.8/30");
        IPAddress first = addresses.Allocate(Blue, 0, false, 0).Address!;
        addresses.Allocate(Blue, 0, false, 0);
        addresses.Release(Blue, first, 1000);
        addresses.Allocate(Blue, 0, true, 1000);
        addresses.Allocate(Blue, 7, false, 1000);
        addresses.Claim(Blue, 0, IPAddress.Parse("10.0.0.9"), 1000);
        Assert.Equal((2L, 2L, 1L), (addresses.Given, addresses.Refused, addresses.Missing));
        Assert.Equal([(Blue, 4.0, 1, 1)], addresses.Census());
    }

    private static NodeAddresses Make(params string[] blocks)
    {
        NodeAddresses addresses = new(Self);
        addresses.SetLeases(blocks.Select(Lease), [Network()]);
        return addresses;
    }

    private static LeaseObject Lease(string block) => new()
    {
        Id = $"{Blue}/{block}",
        NetworkId = Blue.ToString(),
        NodeId = Self.ToString(),
        Block = block,
    };

    private static NetworkObject Network()
    {
        NetworkObject network = new() { Id = Blue.ToString(), Name = "blue" };
        network.Segments.Add(new Segment
        {
            Vni = 1,
            Ipv4 = new() { Subnet = "10.0.0.0/24", Gateway = "10.0.0.1" },
            Ipv6 = new() { Subnet = "fd00::/64", Gateway = "fd00::1" },
        });
        network.Segments.Add(new Segment { Vni = 2, Ipv4 = new() { Subnet = "10.1.0.0/24", Gateway = "10.1.0.1" } });
        return network;
    }
}
