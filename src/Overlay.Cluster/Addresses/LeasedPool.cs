namespace Overlay.Cluster.Addresses;

/// <summary>
/// The blocks that one node has leased of one range, and where the search for a free address goes on.
/// </summary>
internal sealed class LeasedPool
{
    private AddressPlan plan;
    private List<Prefix> blocks;
    private Address? last;

    public LeasedPool(AddressPlan plan, List<Prefix> blocks, Address? last)
    {
        this.plan = plan;
        this.blocks = blocks;
        this.last = last;
        blocks.Sort();
    }

    /// <summary>Addresses that endpoints may have, in use or not.</summary>
    public UInt128 Usable => blocks.Aggregate(UInt128.Zero, (sum, block) => sum + plan.Usable(block));

    public bool IsSpecial(Address address) => plan.IsSpecial(address);

    public bool Contains(Address address) => blocks.Exists(block => block.Contains(address));

    /// <summary>Other leases; the place of the search stays.</summary>
    public void Replace(AddressPlan newPlan, List<Prefix> newBlocks)
    {
        newBlocks.Sort();
        plan = newPlan;
        blocks = newBlocks;
    }

    /// <summary>The next free address behind the last one that was given, around the blocks once.</summary>
    public Address? Next(Func<Address, bool> isFree)
    {
        Address? found = last is Address given
            ? FirstFree(given.Value + 1, UInt128.MaxValue, isFree) ?? FirstFree(0, given.Value, isFree)
            : FirstFree(0, UInt128.MaxValue, isFree);
        last = found ?? last;
        return found;
    }

    /// <summary>Between two numbers, both included. The last IPv6 address is multicast: no block ends there.</summary>
    private Address? FirstFree(UInt128 from, UInt128 to, Func<Address, bool> isFree)
    {
        foreach (Prefix block in blocks)
        {
            UInt128 end = UInt128.Min(block.Last.Value, to);
            for (UInt128 value = UInt128.Max(block.First.Value, from); value <= end; value++)
            {
                Address address = new(block.IsIpv6, value);
                if (!plan.IsSpecial(address) && isFree(address))
                {
                    return address;
                }
            }
        }

        return null;
    }
}
