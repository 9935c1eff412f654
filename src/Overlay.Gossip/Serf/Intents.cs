using Overlay.Gossip.Wire;

namespace Overlay.Gossip.Serf;

/// <summary>Who said last that it is, or is no longer, a member; by serf's member clock.</summary>
internal sealed class Intents(SwimOptions options, MemberList members)
{
    private readonly SortedDictionary<string, Intent> known = new(StringComparer.Ordinal);

    public LamportClock Clock { get; } = new();

    public bool IsEmpty => known.Count == 0;

    public IReadOnlyList<KeyValuePair<string, ulong>> Times =>
        [.. known.Select(k => KeyValuePair.Create(k.Key, k.Value.Time))];

    public IReadOnlyList<string> Left =>
        [.. known.Where(k => k.Value.Leaves && members.Find(k.Key) is not { IsLive: true }).Select(k => k.Key)];

    /// <summary>False: it is old news, or there is no room to remember it.</summary>
    public bool Note(string node, ulong time, bool leaves)
    {
        Clock.Witness(time);
        if (known.TryGetValue(node, out Intent last) ? time <= last.Time : known.Count >= options.MaxMembers)
        {
            return false;
        }

        known[node] = new(time, leaves);
        return true;
    }

    /// <summary>Whether to note it would be old news, the clock's as well.</summary>
    public bool Knows(string node, ulong time) => time < Clock.Time && known.TryGetValue(node, out Intent last) && time <= last.Time;

    public void Forget(string node) => known.Remove(node);

    public bool IsLeaving(string node) => known.TryGetValue(node, out Intent last) && last.Leaves;

    public SerfStatus StatusOf(MemberEntry member) => member.State switch
    {
        MemberState.Left => SerfStatus.Left,
        MemberState.Dead => IsLeaving(member.Name) ? SerfStatus.Left : SerfStatus.Failed,
        _ => IsLeaving(member.Name) ? SerfStatus.Leaving : SerfStatus.Alive,
    };

    private readonly record struct Intent(ulong Time, bool Leaves);
}
