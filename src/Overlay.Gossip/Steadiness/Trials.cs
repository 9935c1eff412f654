using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Steadiness;

/// <summary>
/// Tells members that cannot be reached steadily from those that are only slow. Both are accused again and again, and
/// object. Whoever objected is put to trial by a few observers, the same for everybody: several pings, with patience
/// for late answers. A starved node answers them all, late; one that loses packets never answers most of them. The
/// second kind of evidence: a member that is accused, and speaks, but does not object although it was told, does not
/// hear.
/// </summary>
internal sealed class Trials(
    SwimOptions options, MemberList members, Alerts alerts, Awareness awareness, Outbox outbox, Prng prng)
{
    private const int MaxOpen = 64;

    /// <summary>With a worse local health than this a node's silence is its own.</summary>
    private const int MaxScore = 2;

    /// <summary>More than any answer takes of a node that reads every packet seconds late.</summary>
    private static readonly TimeSpan MinPatience = TimeSpan.FromSeconds(3.5);

    private static readonly TimeSpan Again = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan AgainWhereOpen = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan AgainWhereFine = TimeSpan.FromSeconds(60);

    private readonly List<Trial> open = [];
    private readonly List<Silence> silences = [];

    /// <summary>Those that this node found lossy: it tries them again by itself, and takes back what no longer holds.</summary>
    private readonly List<MemberEntry> found = [];

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            foreach (Trial trial in open)
            {
                next = Instant.Min(next, trial.NextDeadline);
            }

            foreach (Silence silence in silences)
            {
                next = Instant.Min(next, silence.DueAt);
            }

            foreach (MemberEntry member in found)
            {
                next = Instant.Min(next, member.Standing.TrialAt);
            }

            return next;
        }
    }

    private TimeSpan Patience => options.ProbeInterval * 3.5 > MinPatience ? options.ProbeInterval * 3.5 : MinPatience;

    /// <summary>The member objected to an accusation.</summary>
    public void Objected(MemberEntry member, Instant now)
    {
        if (options.TrialObservers <= 0 || !member.IsOurs)
        {
            return;
        }

        alerts.Doubt(member, now);
        if (Observes(member))
        {
            Begin(member, now);
        }
    }

    /// <summary>A packet of its own came from a member that is accused here. It is told of it with the answer.</summary>
    public void HeardAccused(MemberEntry member, Instant now)
    {
        if (options.TrialObservers > 0 && member.IsOurs && silences.Count < MaxOpen && silences.TrueForAll(s => s.Subject != member))
        {
            silences.Add(new(member, now + Patience));
        }
    }

    /// <summary>A packet of its own came from a member.</summary>
    public void Heard(MemberEntry member)
    {
        foreach (Trial trial in open)
        {
            if (trial.Subject == member)
            {
                trial.Spoke();
            }
        }
    }

    /// <summary>It answered a ping of this node, so that it hears.</summary>
    public void Answered(MemberEntry member)
    {
        for (int i = silences.Count - 1; i >= 0; i--)
        {
            if (silences[i].Subject == member)
            {
                silences.RemoveAt(i);
            }
        }
    }

    /// <summary>False where the answer is to none of these pings.</summary>
    public bool Acked(uint sequence)
    {
        foreach (Trial trial in open)
        {
            if (trial.Answered(sequence))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A stream was answered; false where it is none of these.</summary>
    public bool Completed(long exchangeId)
    {
        foreach (Trial trial in open)
        {
            if (trial.ExchangeId == exchangeId)
            {
                trial.AnsweredByStream = true;
                return true;
            }
        }

        return false;
    }

    /// <summary>A stream failed; false where it is none of these.</summary>
    public bool Failed(long exchangeId) => open.Exists(t => t.ExchangeId == exchangeId);

    public void Advance(Instant now, GossipEffects e)
    {
        for (int i = open.Count - 1; i >= 0; i--)
        {
            if (open[i].NextDeadline <= now && Step(open[i], now, e))
            {
                open.RemoveAt(i);
            }
        }

        for (int i = silences.Count - 1; i >= 0; i--)
        {
            Silence silence = silences[i];
            if (silence.DueAt <= now)
            {
                silences.RemoveAt(i);
                if (silence.IsUnbroken && IsWitness(now))
                {
                    alerts.Raise(silence.Subject, AlertKind.Deaf, now);
                }
            }
        }

        for (int i = found.Count - 1; i >= 0; i--)
        {
            MemberEntry member = found[i];
            if (!alerts.Accuses(member))
            {
                found.RemoveAt(i);
            }
            else if (member.Standing.TrialAt <= now)
            {
                Begin(member, now);
                member.Standing.TrialAt = now + Again;
            }
        }
    }

    private void Begin(MemberEntry member, Instant now)
    {
        if (member.IsLive && member.Standing.TrialAt <= now && open.Count < MaxOpen && open.TrueForAll(t => t.Subject != member))
        {
            open.Add(new(member, now));
        }
    }

    /// <summary>True: the trial is over.</summary>
    private bool Step(Trial trial, Instant now, GossipEffects e)
    {
        // A clock that is looked at late was starved itself, and what it missed may lie in its own queue.
        if (!trial.Subject.IsLive || now - trial.NextDeadline > options.ProbeInterval || !IsWitness(now))
        {
            return true;
        }

        // Who was found lossy must answer nearly all to be found steady: some answers may be luck.
        bool accused = alerts.Accuses(trial.Subject);
        if (accused ? trial.IsPassedWell : trial.IsPassed)
        {
            trial.Subject.Standing.TrialAt = now + AgainWhereFine;
            if (accused)
            {
                alerts.TakeBack(trial.Subject, now);
            }

            return true;
        }

        if (trial.IsFailed(now - Patience))
        {
            trial.Subject.Standing.TrialAt = now + Again;
            alerts.Raise(trial.Subject, AlertKind.Lossy, now);
            found.Remove(trial.Subject);
            found.Add(trial.Subject);
            return true;
        }

        if (trial.IsOver(now - Patience))
        {
            trial.Subject.Standing.TrialAt = now + (trial.IsReachedByStreamsAlone ? AgainWhereFine : AgainWhereOpen);
            return true;
        }

        if (trial.Sent < Trial.MaxPings)
        {
            uint sequence = (uint)prng.NextUInt64();
            if (trial.Sent == 0 && trial.Subject.AnswersStreamPings)
            {
                // Where only datagrams are kept out the member works: an answer by stream says so.
                trial.ExchangeId = outbox.Dial(
                    e, trial.Subject.Address,
                    new GossipMessage.Ping(sequence, trial.Subject.Name, members.Self.Address, members.Self.Name),
                    options.ProbeTimeout, expectsReply: true);
            }

            // Those that only wait for a sign are closer together: nine in ten get one of a member that loses 80 %, and a
            // short partition is still seldom over by then.
            trial.Asked(sequence, now, options.ProbeInterval * (trial.Sent + 1 < Trial.Pings ? 0.4 : 0.2));
            outbox.Send(e, trial.Subject.Address, new GossipMessage.Ping(
                sequence, trial.Subject.Name, members.Self.Address, members.Self.Name));
        }
        else
        {
            trial.LookAgainAt(now + (options.ProbeInterval * 0.25));
        }

        return false;
    }

    private bool IsWitness(Instant now) =>
        awareness.Score <= MaxScore && now - members.HeardAt <= options.ProbeInterval * 1.5 && !members.Own.HasLeft;

    /// <summary>Whether this node is one of the few that try the member; all who know the same members agree.</summary>
    private bool Observes(MemberEntry subject)
    {
        ulong own = Distance(members.Self, subject);
        int nearer = 0;
        IReadOnlyList<MemberEntry> all = members.Others;
        for (int i = 0; i < all.Count && nearer < options.TrialObservers; i++)
        {
            nearer += all[i].IsLive && all[i].IsOurs && all[i] != subject && Distance(all[i], subject) < own ? 1 : 0;
        }

        return nearer < options.TrialObservers;
    }

    private static ulong Distance(MemberEntry observer, MemberEntry subject)
    {
        ulong mixed = (observer.NameHash ^ (subject.NameHash * 0x9E3779B97F4A7C15)) * 0xBF58476D1CE4E5B9;
        return mixed ^ (mixed >> 29);
    }

    /// <summary>The member was accused of this when it spoke; it has until then to object.</summary>
    private sealed class Silence(MemberEntry subject, Instant dueAt)
    {
        private readonly (ulong BootId, uint Described) then = (subject.BootId, subject.Described);

        public MemberEntry Subject => subject;

        public Instant DueAt => dueAt;

        public bool IsUnbroken => subject.State is MemberState.Suspect or MemberState.Dead
            && then == (subject.BootId, subject.Described);
    }
}
