using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The part of the façade that removes members for good.</summary>
public sealed partial class Swim
{
    /// <summary>
    /// Removes the member and all its entries for good; what is gossiped of the life that was removed is refused.
    /// </summary>
    public void Forget(string name, Instant now, GossipEffects e)
    {
        if (members.IsSelf(name))
        {
            return;
        }

        Bury(name, isFinal: true, e);
        FollowUp(now, e);
    }

    /// <summary>Removes members that are dead for long, and entries of owners that never were members here.</summary>
    private void Reap(Instant now, GossipEffects e)
    {
        reapAt = now + TimeSpan.FromMinutes(1);
        List<string> old = [.. members.Others
            .Where(m => !m.IsLive && now - m.Since >= options.DeadRetention).Select(m => m.Name)];
        SortedSet<string> unknown = new(store.Strangers, StringComparer.Ordinal);
        foreach (string name in strangers.Keys.Where(s => !unknown.Contains(s)).ToList())
        {
            strangers.Remove(name);
        }

        foreach (string name in unknown)
        {
            strangers.TryAdd(name, now);
        }

        old.AddRange(strangers.Where(s => now - s.Value >= options.DeadRetention).Select(s => s.Key));
        foreach (string name in old)
        {
            Bury(name, isFinal: false, e);
        }
    }

    private void Bury(string name, bool isFinal, GossipEffects e)
    {
        MemberEntry? member = members.Find(name);
        ulong life = Math.Max(member?.BootId ?? 0, store.EpochOf(name));
        members.Obituaries.Add(name, life, member?.Incarnation ?? 0, isFinal);
        members.Remove(name, e);
        store.Forget(name, e);
        strangers.Remove(name);
    }
}
