using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// Tells a dead agent from a dead host. A suspect's gossip port is dialled before its time is up: an answer or a
/// refusal comes from the host's own kernel, which then still forwards; silence or an unreachable network proves
/// nothing. Who dies with an answering host is held (<see cref="Presence.AgentDown"/>) and asked again and again,
/// until the agent is back, the host falls silent, or the longest hold is over.
/// </summary>
/// <remarks>
/// Each node judges for itself and tells nobody: on the wire the member is dead, as memberlist's peers expect. Two
/// things look like a dead agent and are not: a host that booted without starting its agent, and another host that
/// took the address. Both are why the hold is bounded. Who left, or was removed for good, is never held.
/// </remarks>
internal sealed class HostChecks(
    SwimOptions options, MemberList members, Outbox outbox, Prng prng, GossipCounters counters)
{
    /// <summary>Tries without an answer that decide where nothing is known, and against a host that did answer.</summary>
    private const int MissesWhenUnknown = 2;
    private const int MissesWhenKnown = 3;

    /// <summary>Dials at once: when many hosts are lost together the longest waiting go first.</summary>
    private const int MaxAtOnce = 128;

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            if (members.Watched.Count == 0)
            {
                return next;
            }

            bool full = Open >= MaxAtOnce;
            foreach (MemberEntry member in members.Watched)
            {
                HostEvidence evidence = member.Evidence!;
                next = Instant.Min(next, evidence.ExchangeId != 0 ? evidence.GiveUpAt : full ? Instant.Never : DueAt(member));
                next = Instant.Min(next, member.HeldUntil ?? Instant.Never);
            }

            return next;
        }
    }

    private int Open => members.Watched.Count(static m => m.Evidence!.ExchangeId != 0);

    public void Advance(Instant now, GossipEffects e)
    {
        if (members.Watched.Count == 0)
        {
            return;
        }

        List<MemberEntry> watched = [.. members.Watched.OrderBy(DueAt)];
        int open = Open;
        foreach (MemberEntry member in watched)
        {
            HostEvidence evidence = member.Evidence!;
            if (evidence.ExchangeId != 0 && now >= evidence.GiveUpAt)
            {
                Missed(member, now, e);
                open--;
            }

            if (member.HeldUntil <= now)
            {
                members.EndHold(member, now, e);
            }
            else if (member.Evidence is { ExchangeId: 0 } && DueAt(member) <= now && open < MaxAtOnce)
            {
                open++;
                Dial(member, now, e);
            }
        }
    }

    /// <summary>The agent itself answered; false where the exchange is not one of these.</summary>
    public bool Completed(long exchangeId, Instant now, GossipEffects e)
    {
        if (Find(exchangeId) is not { } member)
        {
            return false;
        }

        Answered(member, now, e);
        return true;
    }

    /// <summary>False where the exchange is not one of these.</summary>
    public bool Failed(long exchangeId, StreamFailure failure, Instant now, GossipEffects e)
    {
        if (Find(exchangeId) is not { } member)
        {
            return false;
        }

        if (failure == StreamFailure.Unreachable)
        {
            Missed(member, now, e);
        }
        else
        {
            Answered(member, now, e);
        }

        return true;
    }

    private MemberEntry? Find(long exchangeId) =>
        members.Watched.FirstOrDefault(m => m.Evidence!.ExchangeId == exchangeId);

    private Instant DueAt(MemberEntry member)
    {
        Instant next = member.Evidence!.NextAt;
        Instant late = member.Suspicion is { } suspicion ? suspicion.Deadline - options.HostCheckLead : next;
        return late > next ? late : next;
    }

    private void Dial(MemberEntry member, Instant now, GossipEffects e)
    {
        HostEvidence evidence = member.Evidence!;
        counters.HostChecks++;
        var ping = new GossipMessage.Ping((uint)prng.NextUInt64(), member.Name, members.Self.Address, members.Self.Name);
        evidence.ExchangeId = outbox.Dial(e, member.Address, ping, options.HostCheckTimeout, expectsReply: true);
        evidence.NextAt = now + options.HostCheckTimeout;
        evidence.GiveUpAt = now + (options.HostCheckTimeout * 1.5);
    }

    private void Answered(MemberEntry member, Instant now, GossipEffects e)
    {
        HostEvidence evidence = member.Evidence!;
        evidence.ExchangeId = 0;
        evidence.Misses = 0;
        evidence.NextAt = now + (options.HostCheckInterval * (0.75 + (0.5 * prng.NextDouble())));
        Presence before = member.Presence;
        evidence.Answers = true;
        if (member.Presence != before)
        {
            e.Events.Add(new GossipEvent.MemberChanged(member.ToMember(), member.State));
        }
    }

    private void Missed(MemberEntry member, Instant now, GossipEffects e)
    {
        HostEvidence evidence = member.Evidence!;
        evidence.ExchangeId = 0;
        evidence.Misses++;
        if (evidence.Misses < (evidence.Answers == true ? MissesWhenKnown : MissesWhenUnknown))
        {
            return;
        }

        evidence.Answers = false;
        if (member.HeldUntil is not null)
        {
            members.EndHold(member, now, e);
        }
    }
}
