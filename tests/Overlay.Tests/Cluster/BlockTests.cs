using Overlay.Cluster.Addresses;
using Overlay.V1;

namespace Overlay.Tests.Cluster;

public class BlockTests
{
    [Theory]
    [InlineData("10.0.0.0/24", 1, 28)]
    [InlineData("10.0.0.0/24", 3, 28)]
    [InlineData("10.0.0.0/24", 5, 29)]
    [InlineData("10.0.0.0/24", 16, 30)]
    [InlineData("10.0.0.0/24", 1000, 32)]
    [InlineData("10.0.0.0/16", 3, 26)]
    [InlineData("10.0.0.0/8", 1, 26)]
    [InlineData("10.0.0.0/30", 1, 32)]
    [InlineData("fd00::/64", 3, 112)]
    [InlineData("fd00::/120", 3, 124)]
    [InlineData("fd00::/124", 9, 128)]
    public void Blocks_shrink_with_the_subnet_and_the_number_of_nodes(string subnet, int nodes, int length) =>
        Assert.Equal(length, Plan(subnet).BlockLength(nodes));

    [Fact]
    public void Special_addresses_are_no_endpoint_s()
    {
        AddressPlan v4 = Plan("10.0.0.0/24", "10.0.0.9");
        Assert.True(v4.IsSpecial(Address.Parse("10.0.0.0")));
        Assert.True(v4.IsSpecial(Address.Parse("10.0.0.9")));
        Assert.True(v4.IsSpecial(Address.Parse("10.0.0.255")));
        Assert.False(v4.IsSpecial(Address.Parse("10.0.0.1")));
        Assert.Equal((UInt128)14, v4.Usable(Prefix.Parse("10.0.0.0/28")));
        Assert.Equal((UInt128)15, v4.Usable(Prefix.Parse("10.0.0.240/28")));
        Assert.Equal((UInt128)16, v4.Usable(Prefix.Parse("10.0.0.16/28")));

        AddressPlan v6 = Plan("fd00::/64", "fd00::1");
        Assert.True(v6.IsSpecial(Address.Parse("fd00::")));
        Assert.False(v6.IsSpecial(Address.Parse("fd00::ffff:ffff:ffff:ffff")));
        Assert.Equal((UInt128)65534, v6.Usable(Prefix.Parse("fd00::/112")));
    }

    [Fact]
    public void All_blocks_of_a_subnet_can_be_taken_and_only_special_addresses_stay()
    {
        foreach (string subnet in new[] { "10.0.0.0/24", "10.0.0.0/30", "10.0.0.0/29", "fd00::/120", "10.7.0.0/23" })
        {
            AddressPlan plan = Plan(subnet);
            BlockLedger ledger = new(plan, [], []);
            List<Prefix> blocks = [];
            while (ledger.Take(200) is Prefix block)
            {
                Assert.DoesNotContain(blocks, block.Overlaps);
                Assert.True(plan.Subnet.Contains(block));
                blocks.Add(block);
            }

            UInt128 usable = blocks.Aggregate(UInt128.Zero, (sum, block) => sum + plan.Usable(block));
            Assert.Equal(plan.Usable(plan.Subnet), usable);
        }
    }

    [Fact]
    public void Blocks_keep_to_the_range()
    {
        AddressPlan plan = new(new() { Subnet = "10.0.0.0/16", Gateway = "10.0.0.1", Range = "10.0.128.0/27" });
        BlockLedger ledger = new(plan, [], []);
        int count = 0;
        while (ledger.Take(1) is Prefix block)
        {
            Assert.True(plan.Range.Contains(block));
            count += (int)block.Count;
        }

        Assert.Equal(32, count);
    }

    [Fact]
    public void The_search_goes_on_behind_the_newest_lease()
    {
        AddressPlan plan = Plan("10.0.0.0/24");
        LeaseObject[] leases =
        [
            new() { Block = "10.0.0.32/28", Version = 9 },
            new() { Block = "10.0.0.64/28", Version = 4 },
        ];
        Assert.Equal("10.0.0.48/28", new BlockLedger(plan, leases, []).Take(1).ToString());
        leases[1].Version = 10;
        Assert.Equal("10.0.0.80/28", new BlockLedger(plan, leases, []).Take(1).ToString());
        leases[1] = new() { Block = "10.0.0.240/28", Version = 10 };
        Assert.Equal("10.0.0.0/28", new BlockLedger(plan, leases, []).Take(1).ToString());
    }

    [Fact]
    public void Where_no_whole_block_is_free_a_smaller_one_is_cut()
    {
        AddressPlan plan = Plan("10.0.0.0/26", "10.0.0.1");
        ReservationObject[] reservations =
            [.. Enumerable.Range(0, 16).Select(i => new ReservationObject { Address = $"10.0.0.{(i * 4) + 2}" })];
        BlockLedger ledger = new(plan, [], reservations);
        UInt128 usable = 0;
        while (ledger.Take(1) is Prefix block)
        {
            Assert.True(block.Length > plan.BlockLength(1));
            usable += plan.Usable(block);
        }

        Assert.Equal((UInt128)(64 - 16 - 3), usable);
    }

    [Fact]
    public void Leasing_ahead_leaves_half()
    {
        BlockLedger ledger = new(Plan("10.0.0.0/24"), [], []);
        int blocks = 0;
        while (ledger.TakeAhead(3) is not null)
        {
            blocks++;
        }

        Assert.Equal(8, blocks);
        Assert.NotNull(ledger.Take(3));
    }

    private static AddressPlan Plan(string subnet, string? gateway = null)
    {
        Prefix prefix = Prefix.Parse(subnet);
        string first = new Address(prefix.IsIpv6, prefix.First.Value + 1).ToString();
        return new(new() { Subnet = subnet, Gateway = gateway ?? first });
    }
}
