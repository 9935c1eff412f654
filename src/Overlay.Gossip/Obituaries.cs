namespace Overlay.Gossip;

/// <summary>
/// The members that are no longer remembered. News of a life that was removed for good is refused; of one that only
/// grew too old, just its tables are, until the member itself is heard of again.
/// </summary>
internal sealed class Obituaries
{
    private const int Capacity = 4096;

    private readonly SortedDictionary<string, Obituary> known = new(StringComparer.Ordinal);
    private readonly Queue<string> age = new();

    public void Add(string name, ulong bootId, uint incarnation, bool isFinal)
    {
        if (!known.ContainsKey(name))
        {
            age.Enqueue(name);
        }

        known[name] = new(bootId, incarnation, isFinal);
        if (known.Count > Capacity)
        {
            known.Remove(age.Dequeue());
        }
    }

    /// <summary>True where this is the removed life of the member; another boot is a new member.</summary>
    public bool Refuses(string name, ulong bootId, uint incarnation) =>
        known.TryGetValue(name, out Obituary last) && last.IsFinal
        && (last.BootId != 0 ? bootId <= last.BootId : incarnation <= last.Incarnation);

    /// <summary>True where entries of this epoch belong to a life that is over.</summary>
    /// <param name="isMember">The owner is known as a member now.</param>
    public bool RefusesTable(string name, ulong epoch, bool isMember) =>
        known.TryGetValue(name, out Obituary last) && epoch <= last.BootId && (last.IsFinal || !isMember);

    private readonly record struct Obituary(ulong BootId, uint Incarnation, bool IsFinal);
}
