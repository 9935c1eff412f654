using Overlay.Gossip.Cuts;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Steadiness;

/// <summary>
/// Counts which observers raised an alert about whom. With enough of them a member is unsteady: it is alive to the
/// protocol, and counts for nothing above it until a quiet time has passed since the last alert. Unsteady members are
/// held down together, once no further one seems to be coming: the watermarks of Rapid (ATC'18, §4.2), but that each
/// node decides for itself from the same alerts.
/// </summary>
internal sealed class Alerts(SwimOptions options, MemberList members, GossipCounters counters)
{
    private const int MaxSubjects = 1024;
    private const int MaxWaiting = 512;

    /// <summary>Where more than one in so many would be held down, the fault may be everybody's network.</summary>
    private const int MostHeld = 4;

    private readonly SortedDictionary<string, Tally> tallies = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, MemberEntry> waiting = new(StringComparer.Ordinal);
    private ulong number;
    private Instant firstWaits;
    private Instant lastDoubt;
    private Instant expireAt = Instant.Never;

    /// <summary>Alerts to pass on to those of our kind.</summary>
    public BroadcastQueue Queue { get; } = new();

    public Instant NextDeadline => Instant.Min(expireAt, ReleaseAt);

    /// <summary>Members whose alerts agree wait for those that are on trial.</summary>
    private Instant ReleaseAt => waiting.Count == 0
        ? Instant.Never
        : Instant.Min(firstWaits + options.UnsteadyWindow, lastDoubt + (options.UnsteadyWindow * 0.7));

    /// <summary>Observers that must agree: three in five of those that a trial has, two at least.</summary>
    private int Enough => Math.Max(2, ((Math.Min(options.TrialObservers, members.LiveCount - 1) * 3) + 4) / 5);

    /// <summary>Whether what this node said of this life of the member stands: it shall try it again.</summary>
    public bool Accuses(MemberEntry subject) => tallies.TryGetValue(subject.Name, out Tally? tally)
        && tally.Life == subject.Life && tally.Stands(members.Self.Name);

    /// <summary>The member objected to an accusation: it may turn out to be unsteady.</summary>
    public void Doubt(MemberEntry member, Instant now) =>
        lastDoubt = waiting.ContainsKey(member.Name) || member.Standing.QuietUntil is not null ? lastDoubt : now;

    /// <summary>This node's own alert.</summary>
    public void Raise(MemberEntry subject, AlertKind kind, Instant now)
    {
        counters.AlertsRaised++;
        Say(subject, kind, now);
    }

    /// <summary>What this node said of the member no longer stands.</summary>
    public void TakeBack(MemberEntry subject, Instant now)
    {
        counters.AlertsTakenBack++;
        Say(subject, AlertKind.Steady, now);
    }

    /// <summary>False where the payload is not one of these.</summary>
    public bool Receive(ReadOnlySpan<byte> payload, Instant now)
    {
        if (!Alert.IsOurs(payload))
        {
            return false;
        }

        if (!Alert.TryRead(payload, out Alert? alert))
        {
            counters.Rejected++;
        }
        else if (options.TrialObservers <= 0 || members.IsSelf(alert.Observer) || members.IsSelf(alert.Subject)
            || members.Find(alert.Observer) is not { IsOurs: true } observer || observer.Life != alert.ObserverLife
            || members.Find(alert.Subject) is not { IsOurs: true } subject || subject.Life != alert.SubjectLife
            || !IsNew(observer, alert.Number))
        {
            counters.Stale++;
        }
        else
        {
            Count(alert, payload.ToArray(), subject, now);
        }

        return true;
    }

    public void Advance(Instant now, GossipEffects e)
    {
        if (expireAt <= now)
        {
            Expire(now);
        }

        if (ReleaseAt > now)
        {
            return;
        }

        int held = members.Others.Count(m => m.IsLive && m.Standing.QuietUntil is not null && m.Standing.UnsteadyUntil > now);
        List<MemberEntry> unsteady =
            [.. waiting.Values.Where(m => m.IsLive && m.Standing.QuietUntil is null && m.Standing.UnsteadyUntil > now)];
        waiting.Clear();
        if (held + unsteady.Count > Math.Max(1, members.LiveCount / MostHeld))
        {
            return;
        }

        foreach (MemberEntry member in unsteady)
        {
            members.HoldDown(member, member.Standing.UnsteadyUntil!.Value, e);
        }
    }

    private void Say(MemberEntry subject, AlertKind kind, Instant now)
    {
        Alert alert = new(members.Self.Name, members.Self.Life, ++number, subject.Name, subject.Life, kind);
        Count(alert, alert.Write(), subject, now);
    }

    private static bool IsNew(MemberEntry observer, ulong number)
    {
        if (observer.AlertNumbers?.Life != observer.Life)
        {
            observer.AlertNumbers = new(observer.Life);
        }

        return observer.AlertNumbers.Take(number);
    }

    private void Count(Alert alert, byte[] payload, MemberEntry subject, Instant now)
    {
        if (!tallies.TryGetValue(subject.Name, out Tally? tally) || tally.Life != subject.Life)
        {
            if (tallies.Count >= MaxSubjects)
            {
                counters.Refused++;
                return;
            }

            tallies[subject.Name] = tally = new(subject.Life);
        }

        if (!tally.Take(alert, now))
        {
            return;
        }

        expireAt = expireAt == Instant.Never ? now + (Tally.Memory * 0.5) : expireAt;
        if (Queue.Count < MaxWaiting)
        {
            Queue.Add(KeyOf(alert.Observer, alert.Subject), new GossipMessage.User(payload));
        }

        if (alert.Kind == AlertKind.Steady)
        {
            if (tally.Standing < Enough)
            {
                subject.Standing.UnsteadyUntil = null;
                CutFilter.Release(subject, now);
            }
        }
        else if (tally.Agrees(Enough, now))
        {
            Hold(subject, now);
        }
        else
        {
            Doubt(subject, now);
        }
    }

    /// <summary>The member is unsteady from now on, or still.</summary>
    private void Hold(MemberEntry subject, Instant now)
    {
        subject.Standing.UnsteadyUntil = now + options.UnsteadyQuiet;
        if (subject.Standing.QuietUntil is { } until)
        {
            subject.Standing.QuietUntil = until > now + options.UnsteadyQuiet ? until : now + options.UnsteadyQuiet;
        }
        else if (subject.IsLive && !waiting.ContainsKey(subject.Name))
        {
            firstWaits = waiting.Count == 0 ? now : firstWaits;
            lastDoubt = now;
            waiting.Add(subject.Name, subject);
        }
    }

    private static string KeyOf(string observer, string subject) => $"{observer}\n{subject}";

    private void Expire(Instant now)
    {
        foreach ((string subject, Tally tally) in tallies.ToList())
        {
            // While the member is held down it counts how many take back what they said.
            if (members.Find(subject)?.Standing.UnsteadyUntil is { } until && until > now)
            {
                continue;
            }

            foreach (string observer in tally.Expire(now))
            {
                Queue.Remove(KeyOf(observer, subject));
            }

            if (tally.IsEmpty)
            {
                tallies.Remove(subject);
            }
        }

        expireAt = tallies.Count == 0 ? Instant.Never : now + (Tally.Memory * 0.5);
    }
}
