using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// What one owner wrote for one network in one of its lives. Every write has the owner's next version, so that
/// "everything up to version v" is one number, and the difference between two copies is a range of versions.
/// </summary>
internal sealed class OwnerTable(ulong epoch)
{
    private readonly SortedDictionary<string, Cell> cells = new(StringComparer.Ordinal);
    private ulong doubtUntil;
    private int doubtful;

    public ulong Epoch { get; private set; } = epoch;

    /// <summary>Every write up to this version is known.</summary>
    public ulong Version { get; private set; }

    /// <summary>The newest version that anyone spoke of.</summary>
    public ulong Head { get; private set; }

    /// <summary>From this version on the owner's former life no longer counts; 0: unknown.</summary>
    public ulong Settled { get; private set; }

    /// <summary>Deletions up to this version are forgotten.</summary>
    public ulong Pruned { get; private set; }

    public int Tombstones { get; private set; }

    public int Count => cells.Count - Tombstones;

    public bool IsSettled => Settled != 0 && Version >= Settled;

    public bool IsBehind => Version < Head;

    public IEnumerable<KeyValuePair<string, ReadOnlyMemory<byte>>> Entries => cells
        .Where(c => c.Value.Value is not null)
        .Select(c => KeyValuePair.Create(c.Key, c.Value.Value!.Value));

    public bool Knows(string key) => cells.ContainsKey(key);

    /// <summary>
    /// Whether a difference of this epoch brings nothing: all up to its end is known here, whatever it lists.
    /// </summary>
    public bool Knows(in TableFields delta) =>
        delta.To <= Version && delta.Head <= Head && !IsBehind && doubtful == 0 && (Settled != 0 || delta.Settled == 0);

    public ReadOnlyMemory<byte>? Find(string key) =>
        cells.TryGetValue(key, out Cell cell) ? cell.Value : null;

    public ulong VersionOf(string key) => cells.TryGetValue(key, out Cell cell) ? cell.Version : 0;

    /// <summary>The owner's own write.</summary>
    public void Write(string key, ReadOnlyMemory<byte>? value, Instant now)
    {
        Version++;
        Head = Version;
        Set(key, new(Version, value, now, false));
    }

    /// <summary>The owner's table is complete: from here on its former life is outdated.</summary>
    public void Settle()
    {
        Version++;
        Head = Version;
        Settled = Version;
    }

    /// <summary>A table that never had a former life is complete from its first write.</summary>
    public void SettleFromStart() => Settled = 1;

    /// <summary>The owner begins a new epoch with the same contents.</summary>
    public void Renew(ulong newEpoch, Instant now)
    {
        bool wasSettled = IsSettled;
        List<KeyValuePair<string, ReadOnlyMemory<byte>>> entries = [.. Entries];
        cells.Clear();
        Tombstones = 0;
        Epoch = newEpoch;
        Version = 0;
        Settled = 0;
        Pruned = 0;
        foreach ((string key, ReadOnlyMemory<byte> value) in entries)
        {
            Write(key, value, now);
        }

        if (wasSettled)
        {
            Settle();
        }
    }

    /// <summary>Takes what is new; true where anything was.</summary>
    /// <param name="touched">Gets the keys whose value may have changed.</param>
    public bool Merge(TableMessage.Delta delta, Instant now, List<string> touched)
    {
        Invariant.Holds(delta.Epoch == Epoch, "a difference is merged into its own epoch");
        bool news = false;
        foreach (TableItem item in delta.Items)
        {
            bool known = cells.TryGetValue(item.Key, out Cell cell);
            if (known ? item.Version > cell.Version : item.Version > Version)
            {
                Set(item.Key, new(item.Version, item.Value, now, false));
                touched.Add(item.Key);
                news = true;
            }
        }

        Head = Math.Max(Head, delta.Head);
        if (Settled == 0)
        {
            Settled = delta.Settled;
        }

        if (delta.From <= Version && delta.To > Version)
        {
            Doubt(delta);
            Version = delta.To;
            Pruned = delta.From < delta.Pruned ? Math.Max(Pruned, delta.Pruned) : Pruned;
            news = true;
        }

        JoinEarlyOnes();
        DropDoubtful(touched);
        return news;
    }

    /// <summary>What a copy at <paramref name="version"/> lacks, in pieces of about <paramref name="bytes"/>.</summary>
    public IEnumerable<TableMessage.Delta> Since(string network, string owner, ulong version, int bytes)
    {
        ulong from = version < Pruned || version > Version ? 0 : version;
        ulong head = Version;
        List<TableItem> missing = [.. cells
            .Where(c => c.Value.Version > from && c.Value.Version <= head && !c.Value.Doubtful)
            .Select(c => new TableItem(c.Key, c.Value.Version, c.Value.Value))
            .OrderBy(i => i.Version)];
        List<TableItem> piece = [];
        int room = bytes;
        foreach (TableItem item in missing)
        {
            int cost = item.Key.Length + (item.Value?.Length ?? 0) + 16;
            if (piece.Count > 0 && cost > room)
            {
                ulong to = piece[^1].Version;
                yield return new(network, owner, Epoch, from, to, head, Settled, Pruned, piece);
                from = to;
                piece = [];
                room = bytes;
            }

            piece.Add(item);
            room -= cost;
        }

        if (from < head)
        {
            yield return new(network, owner, Epoch, from, head, head, Settled, Pruned, piece);
        }
    }

    /// <summary>Forgets deletions that are old, or too many.</summary>
    public void Prune(Instant before, int max)
    {
        if (Tombstones == 0)
        {
            return;
        }

        int surplus = Tombstones - max;
        List<KeyValuePair<string, Cell>> oldest = [.. cells
            .Where(c => c.Value.Value is null && c.Value.Version <= Version)
            .OrderBy(c => c.Value.Version)];
        foreach ((string key, Cell cell) in oldest)
        {
            if (cell.At >= before && surplus <= 0)
            {
                break;
            }

            surplus--;
            Remove(key);
            Pruned = Math.Max(Pruned, cell.Version);
        }
    }

    private void Set(string key, Cell cell)
    {
        Remove(key);
        cells.Add(key, cell);
        Tombstones += cell.Value is null ? 1 : 0;
        doubtful += cell.Doubtful ? 1 : 0;
    }

    private void Remove(string key)
    {
        if (cells.Remove(key, out Cell old))
        {
            Tombstones -= old.Value is null ? 1 : 0;
            doubtful -= old.Doubtful ? 1 : 0;
        }
    }

    /// <summary>
    /// Entries that a complete difference should list and does not were replaced or deleted. Which of the two, a later
    /// piece may still tell; until then they stay, so that a replaced entry does not vanish for a moment.
    /// </summary>
    private void Doubt(TableMessage.Delta delta)
    {
        SortedSet<string> listed = new(delta.Items.Select(i => i.Key), StringComparer.Ordinal);
        List<KeyValuePair<string, Cell>> unlisted = [.. cells.Where(c =>
            c.Value.Version > delta.From && c.Value.Version <= delta.To
            && !c.Value.Doubtful && !listed.Contains(c.Key))];
        foreach ((string key, Cell cell) in unlisted)
        {
            Set(key, cell with { Doubtful = true });
            doubtUntil = Math.Max(doubtUntil, delta.Head);
        }
    }

    /// <summary>Writes that overtook others count as soon as the gap before them is closed.</summary>
    private void JoinEarlyOnes()
    {
        if (!IsBehind)
        {
            return;
        }

        foreach (ulong version in cells.Values.Select(c => c.Version).Where(v => v > Version).Order())
        {
            if (version != Version + 1)
            {
                break;
            }

            Version = version;
        }
    }

    private void DropDoubtful(List<string> touched)
    {
        if (doubtful == 0 || Version < doubtUntil)
        {
            return;
        }

        foreach (string key in cells.Where(c => c.Value.Doubtful).Select(c => c.Key).ToList())
        {
            Remove(key);
            touched.Add(key);
        }
    }

    private readonly record struct Cell(ulong Version, ReadOnlyMemory<byte>? Value, Instant At, bool Doubtful);
}
