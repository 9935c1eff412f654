using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// An owner's table in its newest life and, until that one is complete, what was visible of the former life, so that
/// a restart of the owner does not make its entries vanish and come back.
/// </summary>
internal sealed class OwnerRecord(string owner, ulong epoch)
{
    private SortedDictionary<string, ReadOnlyMemory<byte>>? former;
    private (ulong Epoch, ulong Version) printed;
    private ulong print;

    public OwnerTable Table { get; private set; } = new(epoch);

    /// <summary>When a peer may be asked for this owner's missing writes again.</summary>
    public Instant QuietUntil { get; set; }

    /// <summary>The owner's share of the network's fingerprint; 0 where it wrote nothing.</summary>
    public ulong Fingerprint
    {
        get
        {
            if (printed != (Table.Epoch, Table.Version))
            {
                printed = (Table.Epoch, Table.Version);
                print = Table.Version == 0 ? 0 : NetworkTable.Mix(owner, Table.Epoch, Table.Version);
            }

            return print;
        }
    }

    public bool HasFormerLife => former is not null;

    /// <summary>Whether <see cref="Merge"/> would change nothing.</summary>
    public bool Knows(in TableFields delta) =>
        delta.Epoch < Table.Epoch || (delta.Epoch == Table.Epoch && Table.Knows(delta));

    /// <summary>Takes what is new; true where anything was.</summary>
    /// <param name="touched">Gets the keys whose value may have changed.</param>
    public bool Merge(TableMessage.Delta delta, Instant now, List<string> touched)
    {
        if (delta.Epoch < Table.Epoch)
        {
            return false;
        }

        if (delta.Epoch > Table.Epoch)
        {
            former = new(Visible.ToDictionary(), StringComparer.Ordinal);
            Table = new(delta.Epoch);
        }

        bool news = Table.Merge(delta, now, touched);
        if (former is not null && Table.IsSettled)
        {
            touched.AddRange(former.Keys);
            former = null;
        }

        return news;
    }

    public ReadOnlyMemory<byte>? Find(string key)
    {
        if (Table.Knows(key))
        {
            return Table.Find(key);
        }

        return former is not null && former.TryGetValue(key, out ReadOnlyMemory<byte> value)
            ? value
            : default(ReadOnlyMemory<byte>?);
    }

    public IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> Visible => former is null
        ? Table.Entries
        : Table.Entries.Concat(former.Where(f => !Table.Knows(f.Key)));
}
