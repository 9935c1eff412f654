using System.Net;
using Overlay.Gossip.Cuts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>What becomes of a dead member whose host is up; <see cref="HostChecks"/> asks the hosts.</summary>
internal sealed partial class MemberList
{
    private readonly SortedDictionary<string, MemberEntry> watched = new(StringComparer.Ordinal);

    /// <summary>Those whose <see cref="MemberEntry.Evidence"/> is being gathered.</summary>
    public IReadOnlyCollection<MemberEntry> Watched => watched.Values;

    /// <summary>A member of a former life of this node, not heard of yet: held until its host is.</summary>
    public void Recall(string name, IPEndPoint address, Instant now)
    {
        if (Find(name) is not null || others.Count >= options.MaxMembers || options.AgentDownHold <= TimeSpan.Zero)
        {
            return;
        }

        // The lowest boot id of ours: whatever it says of itself is newer.
        MemberEntry member = new(name, address) { Since = now, BootId = 1, HeldUntil = now + options.AgentDownHold };
        others.Add(member);
        Ring.Insert(member);
        LastDeathAt = now;
        Touch(member);
        Watch(member, new());
    }

    /// <summary>What the dead member said no longer stands.</summary>
    public void EndHold(MemberEntry member, Instant now, GossipEffects e)
    {
        Watch(member, null);
        member.HeldUntil = null;
        Cuts.Lost(member, now);
        if (!member.Standing.Departing)
        {
            Changed.Add(member.Name);
            e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), member.State));
        }
    }

    /// <summary>The member lives, and counts for nothing before then.</summary>
    public void HoldDown(MemberEntry member, Instant until, GossipEffects e)
    {
        Cuts.Hold(member, until);
        Changed.Add(member.Name);
        e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), member.State));
    }

    /// <summary>What is released of losses and returns that waited.</summary>
    public void ReleaseCuts(Instant now, GossipEffects e)
    {
        foreach (MemberEntry member in Cuts.Advance(now, () => MoreAreComing(now)))
        {
            Changed.Add(member.Name);
            e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), member.State));
        }
    }

    /// <summary>Others are accused by several observers, and will be dead in a moment.</summary>
    private bool MoreAreComing(Instant now) => suspects.Values.Any(
        m => m.Suspicion is { Confirmations: > 0 } suspicion && suspicion.Deadline - now < options.MaxCutWindow);

    public CutFilter Cuts { get; } = new(options);

    /// <summary>The member's state changed; Suspect keeps the evidence it began with.</summary>
    private void HoldOrRelease(MemberEntry member, Instant now)
    {
        if (member.State is MemberState.Dead or MemberState.Left && member.Standing.QuietUntil is not null)
        {
            // Its return did not count yet: nothing of it is visible that could be held.
            Cuts.Dropped(member);
            member.HeldUntil = null;
            Watch(member, null);
        }
        else if (member.State == MemberState.Dead && IsHoldable(member) && member.Evidence?.Answers != false)
        {
            // Its host answered, or was not asked yet: then the verdict waits for it.
            member.HeldUntil = now + options.AgentDownHold;
            Watch(member, member.Evidence ?? new());
        }
        else if (member.State != MemberState.Suspect)
        {
            member.HeldUntil = null;
            Watch(member, null);
            if (member.State == MemberState.Dead)
            {
                Cuts.Lost(member, now);
            }
            else if (member.State == MemberState.Left)
            {
                Cuts.Dropped(member);
            }
        }
    }

    /// <summary>A foreign implementation has no entries that could be held.</summary>
    private bool IsHoldable(MemberEntry member) => member.IsOurs && options.AgentDownHold > TimeSpan.Zero;

    private void Watch(MemberEntry member, HostEvidence? evidence)
    {
        member.Evidence = evidence;
        if (evidence is null)
        {
            watched.Remove(member.Name);
        }
        else
        {
            watched[member.Name] = member;
        }
    }
}
