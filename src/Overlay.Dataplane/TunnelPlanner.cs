using System.Collections.Immutable;
using Overlay.Primitives;

namespace Overlay.Dataplane;

/// <summary>FDB and neighbour entries of VXLAN devices: thousands, so both sides are walked in their order, once.</summary>
internal static class TunnelPlanner
{
    public static void Plan(
        Stages stages, NamespaceName name, NamespaceState wish, NamespaceState actual, LinkFates links)
    {
        SortedSet<(string Device, MacAddress Mac)> macs = [];
        foreach (FdbEntry entry in Missing(wish.Fdb, actual.Fdb, e => links.Made.Contains(e.Device)))
        {
            stages.Tunnels.Add(new Operation.ReplaceFdb(name, entry));
            macs.Add((entry.Device, entry.Mac));
        }

        SortedSet<NeighbourEntry> replaced = [];
        foreach (NeighbourEntry entry in Missing(wish.Neighbours, actual.Neighbours, e => links.Made.Contains(e.Device)))
        {
            stages.Tunnels.Add(new Operation.ReplaceNeighbour(name, entry));
            replaced.Add(KeyOf(entry));
        }

        if (!name.IsOverlay)
        {
            return;
        }

        // An entry of the same key was replaced; an entry of a link that goes, goes with it.
        foreach (FdbEntry entry in Missing(actual.Fdb, wish.Fdb, static _ => false))
        {
            if (links.Stays(entry.Device) && !macs.Contains((entry.Device, entry.Mac)))
            {
                stages.Tunnels.Add(new Operation.DeleteFdb(name, entry));
            }
        }

        foreach (NeighbourEntry entry in Missing(actual.Neighbours, wish.Neighbours, static _ => false))
        {
            if (links.Stays(entry.Device) && !replaced.Contains(KeyOf(entry)))
            {
                stages.Tunnels.Add(new Operation.DeleteNeighbour(name, entry));
            }
        }
    }

    private static NeighbourEntry KeyOf(NeighbourEntry entry) => entry with { Mac = default };

    /// <summary>What the left has and the right lacks.</summary>
    private static IEnumerable<T> Missing<T>(ImmutableSortedSet<T> left, ImmutableSortedSet<T> right, Func<T, bool> lost)
        where T : IComparable<T>
    {
        using ImmutableSortedSet<T>.Enumerator other = right.GetEnumerator();
        bool more = other.MoveNext();
        foreach (T item in left)
        {
            while (more && other.Current.CompareTo(item) < 0)
            {
                more = other.MoveNext();
            }

            if (!more || other.Current.CompareTo(item) != 0 || lost(item))
            {
                yield return item;
            }
        }
    }
}
