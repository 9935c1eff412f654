namespace Overlay.Gossip;

/// <summary>The members that were removed for good: news of the life that was removed is refused.</summary>
internal sealed class Obituaries
{
    private const int Capacity = 4096;

    private readonly SortedDictionary<string, (ulong BootId, uint Incarnation)> known = new(StringComparer.Ordinal);
    private readonly Queue<string> age = new();

    public void Add(string name, ulong bootId, uint incarnation)
    {
        if (!known.ContainsKey(name))
        {
            age.Enqueue(name);
        }

        known[name] = (bootId, incarnation);
        if (known.Count > Capacity)
        {
            known.Remove(age.Dequeue());
        }
    }

    /// <summary>True where this is the removed life of the member; another boot is a new member.</summary>
    public bool Refuses(string name, ulong bootId, uint incarnation) =>
        known.TryGetValue(name, out (ulong BootId, uint Incarnation) last)
        && (last.BootId != 0 ? bootId <= last.BootId : incarnation <= last.Incarnation);

    /// <summary>True where entries of this epoch belong to a removed life.</summary>
    public bool Refuses(string name, ulong epoch) =>
        known.TryGetValue(name, out (ulong BootId, uint Incarnation) last) && epoch <= last.BootId;
}
