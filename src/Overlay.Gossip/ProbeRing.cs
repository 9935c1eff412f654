using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// The order in which members are probed: shuffled at each round, newcomers at a random place, so that every member
/// is probed within two rounds (SWIM §4.3).
/// </summary>
internal sealed class ProbeRing(Prng prng)
{
    private readonly List<MemberEntry> members = [];
    private int next;

    public IReadOnlyList<MemberEntry> Members => members;

    public void Insert(MemberEntry member) => members.Insert(prng.Next(members.Count + 1), member);

    public void Remove(MemberEntry member)
    {
        int index = members.IndexOf(member);
        Invariant.Holds(index >= 0, "a member of the list is in the ring");
        members.RemoveAt(index);
        if (index < next)
        {
            next--;
        }
    }

    /// <summary>The next live member; null where there is none.</summary>
    public MemberEntry? Next()
    {
        for (int visited = 0; visited <= members.Count; visited++)
        {
            if (next >= members.Count)
            {
                next = 0;
                prng.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(members));
                if (members.Count == 0)
                {
                    return null;
                }
            }

            MemberEntry member = members[next++];
            if (member.IsLive)
            {
                return member;
            }
        }

        return null;
    }

    /// <summary>Up to <paramref name="count"/> different random members that fit.</summary>
    public List<MemberEntry> Pick(int count, Func<MemberEntry, bool> fits)
    {
        // Where most fit, a few blind draws find them; only where few do, or are left, all are looked at.
        List<MemberEntry> chosen = new(count);
        for (int tries = 4 * count; members.Count > tries && chosen.Count < count && tries > 0; tries--)
        {
            MemberEntry drawn = members[prng.Next(members.Count)];
            if (fits(drawn) && !chosen.Contains(drawn))
            {
                chosen.Add(drawn);
            }
        }

        return chosen.Count == count ? chosen : PickAmongAll(count, fits);
    }

    private List<MemberEntry> PickAmongAll(int count, Func<MemberEntry, bool> fits)
    {
        List<MemberEntry> eligible = [.. members.Where(fits)];
        if (eligible.Count <= count)
        {
            return eligible;
        }

        for (int i = 0; i < count; i++)
        {
            int j = i + prng.Next(eligible.Count - i);
            (eligible[i], eligible[j]) = (eligible[j], eligible[i]);
        }

        return eligible[..count];
    }
}
