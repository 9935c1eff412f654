using Overlay.V1;

namespace Overlay.Cluster.Addresses;

/// <summary>
/// What is taken of one range, while blocks are being cut from it. Leases (held or resting) and reservations are
/// obstacles; the search goes on where the last block ended, so that an address comes back late.
/// </summary>
internal sealed class BlockLedger
{
    private static readonly UInt128 LowAddresses = 1 << 16;

    private readonly AddressPlan plan;
    private readonly List<Prefix> taken = [];
    private UInt128 leased;
    private Address cursor;

    public BlockLedger(
        AddressPlan plan, IEnumerable<LeaseObject> leases, IEnumerable<ReservationObject> reservations)
    {
        this.plan = plan;
        cursor = Begin(plan);
        ulong newest = 0;
        foreach (LeaseObject lease in leases)
        {
            Prefix block = Prefix.Parse(lease.Block);
            if (!plan.Range.Overlaps(block))
            {
                continue;
            }

            taken.Add(block);
            leased += block.Count;
            if (lease.Version > newest || (lease.Version == newest && block.First >= cursor))
            {
                newest = lease.Version;
                cursor = After(block);
            }
        }

        foreach (ReservationObject reservation in reservations)
        {
            Address address = Address.Parse(reservation.Address);
            if (plan.Range.Contains(address))
            {
                taken.Add(Prefix.Around(address, address.IsIpv6 ? 128 : 32));
            }
        }

        taken.Sort();
    }

    public AddressPlan Plan => plan;

    /// <summary>
    /// Automatic addresses of a whole subnet begin in its upper half, or behind the first 65,536 of a large one: people
    /// write the low addresses by hand, and a block that a node holds would be in their way.
    /// </summary>
    private static Address Begin(AddressPlan plan)
    {
        UInt128 low = plan.Range.Count / 2;
        low = low < LowAddresses ? low : LowAddresses;
        return plan.Range != plan.Subnet ? plan.Range.First : new(plan.Range.IsIpv6, plan.Range.First.Value + low);
    }

    /// <summary>A block while at least half of the range stays unleased; null otherwise.</summary>
    public Prefix? TakeAhead(int nodes)
    {
        UInt128 size = UInt128.One << ((plan.Range.IsIpv6 ? 128 : 32) - plan.BlockLength(nodes));
        return leased + size > plan.Range.Count / 2 ? null : Take(nodes);
    }

    /// <summary>A block, as large as is still to be had; null: nothing usable is left.</summary>
    public Prefix? Take(int nodes)
    {
        int longest = plan.Range.IsIpv6 ? 128 : 32;
        for (int length = plan.BlockLength(nodes); length <= longest; length++)
        {
            Prefix? block = Search(cursor, plan.Range.Last, length) ?? Search(plan.Range.First, cursor, length);
            if (block is Prefix found)
            {
                taken.Insert(~taken.BinarySearch(found), found);
                leased += found.Count;
                cursor = After(found);
                return found;
            }
        }

        return null;
    }

    /// <summary>
    /// One address that does not split a block while blocks are to be had: below where they begin, as far as possible from
    /// what people write by hand, and only then among them; in a range of its own from the top. Null: nothing is left.
    /// </summary>
    public Address? TakeSingle()
    {
        Address begin = Begin(plan);
        Address top = begin > plan.Range.First ? new(begin.IsIpv6, begin.Value - 1) : plan.Range.Last;
        return Descend(top) ?? Descend(plan.Range.Last);
    }

    private Address? Descend(Address from)
    {
        Address candidate = from;
        while (true)
        {
            Prefix single = Prefix.Around(candidate, candidate.IsIpv6 ? 128 : 32);
            Prefix? obstacle = ObstacleOf(single);
            if (obstacle is null && !plan.IsSpecial(candidate))
            {
                return candidate;
            }

            Address lowest = obstacle?.First ?? candidate;
            if (lowest <= plan.Range.First)
            {
                return null;
            }

            candidate = new(lowest.IsIpv6, lowest.Value - 1);
        }
    }

    /// <summary>The first free block that begins between two addresses (both included).</summary>
    private Prefix? Search(Address from, Address to, int length)
    {
        Prefix candidate = Prefix.Around(from, length);
        if (candidate.First < from && !Next(candidate, candidate.Last, out candidate))
        {
            return null;
        }

        while (candidate.First <= to && plan.Range.Contains(candidate))
        {
            Address last = candidate.Last;
            if (ObstacleOf(candidate) is Prefix obstacle)
            {
                last = obstacle.Last > last ? obstacle.Last : last;
            }
            else if (plan.Usable(candidate) > 0)
            {
                return candidate;
            }

            if (!Next(candidate, last, out candidate))
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>
    /// The block of the same size that begins after an address which ends a block of that size or a larger one.
    /// </summary>
    private static bool Next(Prefix block, Address last, out Prefix next)
    {
        next = block;
        UInt128 first = last.Value + 1;
        if (first == 0 || (!block.IsIpv6 && first > uint.MaxValue))
        {
            return false;
        }

        next = new(new(block.IsIpv6, first), block.Length);
        return true;
    }

    private Prefix? ObstacleOf(Prefix candidate)
    {
        // Obstacles are disjoint and sorted: if any overlaps the candidate, the last that begins before its end does.
        int low = 0;
        int high = taken.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (taken[middle].First <= candidate.Last)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low > 0 && taken[low - 1].Last >= candidate.First ? taken[low - 1] : null;
    }

    private Address After(Prefix block) =>
        block.Last >= plan.Range.Last ? plan.Range.First : new(block.IsIpv6, block.Last.Value + 1);
}
