using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>The part of the façade that takes others' evidence on members.</summary>
public sealed partial class Swim
{
    /// <summary>Grows whenever the set of members that count changes; a cut of many is one step.</summary>
    public long ViewEpoch { get; private set; }

    /// <summary>
    /// First evidence against a member from outside gossip, such as a session that fell silent: it is looked at now,
    /// by this node and others, and is dead as soon as enough of them agree.
    /// </summary>
    public void Hint(string name, Instant now, GossipEffects e)
    {
        if (!gone && !members.Own.HasLeft)
        {
            jury.Hint(name, now, e);
            FollowUp(now, e);
        }
    }

    /// <summary>
    /// A session with this member is open: from now on it is watched closely. One that was dead is contacted now, as
    /// this is its first sign of life.
    /// </summary>
    /// <param name="asks">True: this end pings; false: the other one does.</param>
    public void WatchSession(string name, bool asks, Instant now, GossipEffects e)
    {
        sessions.Begin(name, asks, now);
        if (!gone && members.Find(name) is { State: MemberState.Dead } member)
        {
            contacts.Contact(member, e);
        }
    }

    /// <summary>The session ended by either end: what is heard of it no more proves nothing.</summary>
    public void EndSession(string name) => sessions.End(name);
}
