using System.Collections.Immutable;

namespace Overlay.Cluster;

/// <summary>The latest changes, bounded by their number of actions; older ones are forgotten whole.</summary>
internal sealed class StoreHistory(ulong floor, int maxActions)
{
    private readonly List<StoreChange> changes = [];
    private int actions;

    /// <summary>Changes after this version are all here.</summary>
    public ulong Floor { get; private set; } = floor;

    public void Add(StoreChange change)
    {
        changes.Add(change);
        actions += change.Actions.Length;
        if (actions <= maxActions)
        {
            return;
        }

        // Half goes at once, so that the cost of moving the list is spread over many changes.
        int forgotten = 0;
        while (forgotten < changes.Count && actions > maxActions / 2)
        {
            actions -= changes[forgotten].Actions.Length;
            Floor = changes[forgotten].Version;
            forgotten++;
        }

        changes.RemoveRange(0, forgotten);
    }

    public ImmutableArray<StoreChange>? Since(ulong version)
    {
        if (version < Floor)
        {
            return null;
        }

        int low = 0;
        int high = changes.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (changes[middle].Version > version)
            {
                high = middle;
            }
            else
            {
                low = middle + 1;
            }
        }

        return [.. changes[low..]];
    }
}
