using System.Text;
using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>All owners' tables of one network, and what of them is visible.</summary>
internal sealed class NetworkTable(string name)
{
    private readonly SortedDictionary<string, SortedDictionary<string, ReadOnlyMemory<byte>>> visible =
        new(StringComparer.Ordinal);

    private readonly SortedDictionary<string, OwnerRecord> records = new(StringComparer.Ordinal);

    /// <summary>The same records, to be added up after every comparison.</summary>
    private readonly List<OwnerRecord> inNoOrder = [];

    public string Name { get; } = name;

    public bool Subscribed { get; set; }

    public Instant SubscribedAt { get; set; }

    /// <summary>By owner.</summary>
    public IReadOnlyDictionary<string, OwnerRecord> Records => records;

    /// <summary>The owner's visible entries.</summary>
    public IEnumerable<TableEntry> Entries =>
        from owner in visible
        from entry in owner.Value
        select new TableEntry(Name, owner.Key, entry.Key, entry.Value);

    /// <summary>Equal where all owners' epochs and versions are equal.</summary>
    public ulong Fingerprint
    {
        get
        {
            ulong sum = 0;
            foreach (OwnerRecord record in inNoOrder)
            {
                sum += record.Fingerprint;
            }

            return sum;
        }
    }

    /// <summary>Owners that wrote anything.</summary>
    public int LineCount
    {
        get
        {
            int count = 0;
            foreach (OwnerRecord record in inNoOrder)
            {
                count += record.Table.Version != 0 ? 1 : 0;
            }

            return count;
        }
    }

    /// <summary>The owner's record; a new one where there is none.</summary>
    public OwnerRecord Open(string owner, ulong epoch)
    {
        if (!records.TryGetValue(owner, out OwnerRecord? record))
        {
            record = new(owner, epoch);
            records.Add(owner, record);
            inNoOrder.Add(record);
        }

        return record;
    }

    public bool Remove(string owner) => records.Remove(owner, out OwnerRecord? record) && inNoOrder.Remove(record);

    public bool IsVisible(string owner, string key) =>
        visible.TryGetValue(owner, out SortedDictionary<string, ReadOnlyMemory<byte>>? entries)
        && entries.ContainsKey(key);

    /// <summary>Owners and versions in (after, through]; an empty through is the end.</summary>
    public IEnumerable<DigestLine> Lines(string after, string through) =>
        from record in records
        where record.Value.Table.Version != 0
            && string.CompareOrdinal(record.Key, after) > 0
            && (through.Length == 0 || string.CompareOrdinal(record.Key, through) <= 0)
        select new DigestLine(record.Key, record.Value.Table.Epoch, record.Value.Table.Version);

    /// <summary>Brings what is visible of these keys up to date.</summary>
    /// <param name="shown">Whether anything of the owner is visible at all.</param>
    public void Refresh(string owner, IEnumerable<string> keys, bool shown, List<GossipEvent.EntryChanged> changes)
    {
        records.TryGetValue(owner, out OwnerRecord? record);
        if (!visible.TryGetValue(owner, out SortedDictionary<string, ReadOnlyMemory<byte>>? entries))
        {
            entries = new(StringComparer.Ordinal);
            visible.Add(owner, entries);
        }

        foreach (string key in keys)
        {
            ReadOnlyMemory<byte>? wanted = shown ? record?.Find(key) : null;
            bool had = entries.TryGetValue(key, out ReadOnlyMemory<byte> old);
            if (wanted is { } value)
            {
                entries[key] = value;
                if (!had || !old.Span.SequenceEqual(value.Span))
                {
                    changes.Add(new(Name, owner, key, value));
                }
            }
            else if (entries.Remove(key))
            {
                changes.Add(new(Name, owner, key, null));
            }
        }

        if (entries.Count == 0)
        {
            visible.Remove(owner);
        }
    }

    /// <summary>Brings everything of the owner up to date.</summary>
    public void RefreshAll(string owner, bool shown, List<GossipEvent.EntryChanged> changes)
    {
        SortedSet<string> keys = new(StringComparer.Ordinal);
        if (visible.TryGetValue(owner, out SortedDictionary<string, ReadOnlyMemory<byte>>? entries))
        {
            keys.UnionWith(entries.Keys);
        }

        if (shown && records.TryGetValue(owner, out OwnerRecord? record))
        {
            keys.UnionWith(record.Visible.Select(e => e.Key));
        }

        Refresh(owner, [.. keys], shown, changes);
    }

    /// <summary>One owner's share of the fingerprint.</summary>
    public static ulong Mix(string owner, ulong epoch, ulong version)
    {
        // FNV-1a, then SplitMix64's finalizer, so that the sum over owners does not depend on their order.
        ulong hash = 0xcbf29ce484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(owner))
        {
            hash = (hash ^ b) * 0x100000001b3;
        }

        hash = (hash ^ epoch) * 0x9E3779B97F4A7C15;
        hash = (hash ^ (hash >> 29) ^ version) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ (hash >> 27)) * 0x94D049BB133111EB;
        return hash ^ (hash >> 31);
    }
}
