using System.Diagnostics.CodeAnalysis;

namespace Overlay.Gossip;

/// <summary>Members by name: found in constant time, listed in the order of their names.</summary>
internal sealed class MemberIndex
{
    private readonly Dictionary<string, MemberEntry> byName = new(StringComparer.Ordinal);
    private readonly List<MemberEntry> sorted = [];

    public int Count => sorted.Count;

    public IReadOnlyList<MemberEntry> Sorted => sorted;

    public bool TryGet(string name, [NotNullWhen(true)] out MemberEntry? member) => byName.TryGetValue(name, out member);

    public MemberEntry? Find(ReadOnlySpan<char> name) =>
        byName.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out MemberEntry? member) ? member : null;

    public void Add(MemberEntry member)
    {
        byName.Add(member.Name, member);
        bool last = sorted.Count == 0 || string.CompareOrdinal(sorted[^1].Name, member.Name) < 0;
        sorted.Insert(last ? sorted.Count : ~Position(member.Name), member);
    }

    public bool Remove(string name, [NotNullWhen(true)] out MemberEntry? member)
    {
        if (!byName.Remove(name, out member))
        {
            return false;
        }

        sorted.RemoveAt(Position(name));
        return true;
    }

    private int Position(string name)
    {
        int low = 0;
        int high = sorted.Count - 1;
        while (low <= high)
        {
            int middle = (low + high) / 2;
            int order = string.CompareOrdinal(sorted[middle].Name, name);
            if (order == 0)
            {
                return middle;
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle - 1);
        }

        return ~low;
    }
}
