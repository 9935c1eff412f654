using System.Text;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Verdicts;

/// <summary>
/// Fuses evidence on a member into one verdict. Whoever has first evidence against it, such as a session that fell
/// silent, asks a few members to look at it at once, as it does itself: several packets and a dial, which the host's
/// kernel answers where the agent does not. The member is declared dead ahead of its suspicion's time only when two
/// observers or more found silence and none found an answer; the verdict says how many, so that nobody else waits
/// for checks of their own.
/// </summary>
/// <remarks>
/// No single observer brings a verdict about: one that was late or is unwell says that it is unsure, and who cannot
/// hear others hears no findings. Where half or more of the members are silent at once, nobody is judged here: it is
/// this side that may be cut off. All else is left to the ordinary suspicion.
/// </remarks>
internal sealed class Jury(
    SwimOptions options, MemberList members, Awareness awareness, Outbox outbox, Prng prng, GossipCounters counters)
{
    private const int MaxOpen = 1024;
    private const int Pings = 3;

    /// <summary>
    /// Also where nobody else seems to be there to ask: who knows of one member only may be the one who is cut off.
    /// </summary>
    private const int MinSilent = 2;

    /// <summary>With a worse local health than this a node's silence is its own.</summary>
    private const int MaxScore = 2;

    private readonly SortedDictionary<string, Case> open = new(StringComparer.Ordinal);

    /// <summary>The same, where no order counts: the tree's enumerators allocate, and every answer to a probe looks here.</summary>
    private readonly List<Case> all = [];
    private readonly byte[] selfUtf8 = Encoding.UTF8.GetBytes(members.Self.Name);

    /// <summary>Judged, and not said yet.</summary>
    private readonly List<Case> ready = [];
    private Instant readySince;

    public Instant NextDeadline
    {
        get
        {
            Instant next = PronounceBy;
            foreach (Case c in all)
            {
                next = Instant.Min(next, c.NextDeadline);
            }

            return next;
        }
    }

    private Instant PronounceBy => ready.Count == 0 ? Instant.Never : readySince + (options.LookTime * 0.5);

    /// <summary>First evidence against a member: looks, and asks others to look.</summary>
    public void Hint(string name, Instant now, GossipEffects e)
    {
        if (options.Observers <= 0 || members.IsSelf(name) || members.Find(name) is not { IsLive: true } subject
            || Open(subject, now, e) is not { Presides: false } opened)
        {
            return;
        }

        opened.Presides = true;
        opened.DecideBy = opened.LookEnds + (options.LookTime * 0.5);
        counters.Inquiries++;
        AskObservers(opened, e);
    }

    /// <summary>False where the payload is not one of these.</summary>
    public bool Receive(ReadOnlySpan<byte> payload, Instant now, GossipEffects e)
    {
        if (!JuryMessage.IsOurs(payload))
        {
            return false;
        }

        if (!JuryMessage.TryRead(payload, out JuryMessage message))
        {
            counters.Rejected++;
        }
        else if (message.Finding is { } finding)
        {
            Hear(message, finding, now, e);
        }
        else if (members.Find(message.Sender) is { IsLive: true } asker && !members.IsSelf(asker.Name))
        {
            Look(message, asker, now, e);
        }
        else
        {
            counters.Refused++;
        }

        return true;
    }

    /// <summary>False where the answer is to none of these packets.</summary>
    public bool Acked(uint sequence, Instant now, GossipEffects e)
    {
        foreach (Case c in all)
        {
            if (c.Sequences.Contains(sequence))
            {
                Found(c, Finding.Alive, now, e);
                Sweep(now, e);
                return true;
            }
        }

        return false;
    }

    /// <summary>The dial was answered by the agent; false where it is not one of these.</summary>
    public bool Completed(long exchangeId, Instant now, GossipEffects e) => Ended(exchangeId, Finding.Alive, now, e);

    /// <summary>False where the dial is not one of these.</summary>
    public bool Failed(long exchangeId, StreamFailure failure, Instant now, GossipEffects e) =>
        Ended(exchangeId, failure == StreamFailure.Unreachable ? null : Finding.HostUp, now, e);

    public void Advance(Instant now, GossipEffects e)
    {
        if (NextDeadline > now)
        {
            return;
        }

        foreach (Case c in open.Values.ToList())
        {
            Instant due = c.NextDeadline;
            if (due > now)
            {
                continue;
            }

            c.WasLate |= c.PingsSent > 0 && now - due > options.LookTime * 0.4;
            if (c.Own is not null)
            {
                Decide(c, now);
            }
            else if (!c.Subject.IsLive || c.Subject.Incarnation > c.Incarnation)
            {
                // Decided elsewhere, or it objected meanwhile.
                Found(c, c.Subject.State == MemberState.Alive ? Finding.Alive : Finding.Unsure, now, e);
            }
            else if (now >= c.LookEnds)
            {
                // A dial that did not even fail in its time says that this host was starved.
                bool unsure = c.WasLate || c.ExchangeId != 0 || awareness.Score > MaxScore;
                Found(c, unsure ? Finding.Unsure : Finding.Silent, now, e);
            }
            else
            {
                Ping(c, now, e);
            }
        }

        Sweep(now, e);
    }

    private void Look(in JuryMessage request, MemberEntry asker, Instant now, GossipEffects e)
    {
        if (members.Find(request.Subject) is not { } subject || members.IsSelf(subject.Name))
        {
            Tell(asker, request.Subject, request.Incarnation, Finding.Alive, e);
            return;
        }

        if (subject.IsLive && Open(subject, now, e) is { } opened)
        {
            if (opened.Own is { } known)
            {
                Tell(asker, request.Subject, request.Incarnation, known, e);
            }
            else
            {
                opened.Askers.Add(asker.Name);
            }
        }
        else
        {
            Tell(asker, request.Subject, request.Incarnation, Finding.Unsure, e);
        }
    }

    private Case? Open(MemberEntry subject, Instant now, GossipEffects e)
    {
        if (open.TryGetValue(subject.Name, out Case? running))
        {
            return running;
        }

        if (open.Count >= MaxOpen)
        {
            counters.Refused++;
            return null;
        }

        Case opened = new(subject, now, options.LookTime);
        open.Add(subject.Name, opened);
        all.Add(opened);
        counters.Looks++;
        if (subject.AnswersStreamPings)
        {
            GossipMessage.Ping ping = new((uint)prng.NextUInt64(), subject.Name, members.Self.Address, members.Self.Name);
            opened.ExchangeId = outbox.Dial(e, subject.Address, ping, options.LookTime * 0.7, expectsReply: true);
        }

        Ping(opened, now, e);
        return opened;
    }

    private void Ping(Case c, Instant now, GossipEffects e)
    {
        uint sequence = (uint)prng.NextUInt64();
        c.Sequences.Add(sequence);
        c.PingsSent++;
        c.NextPingAt = c.PingsSent < Pings ? now + (options.LookTime * 0.25) : Instant.Never;
        outbox.Send(e, c.Subject.Address, new GossipMessage.Ping(
            sequence, c.Subject.Name, members.Self.Address, members.Self.Name));
        if (c.Presides)
        {
            // Observers that turned out to be suspects themselves are replaced.
            AskObservers(c, e);
        }
    }

    private void AskObservers(Case c, GossipEffects e)
    {
        // Of those that were replaced as suspects, some may be cleared by now: then there are more than were wanted.
        int fit = c.Observers.Keys.Count(o => !open.ContainsKey(o));
        List<MemberEntry> more = members.Ring.Pick(
            Math.Max(0, options.Observers - fit),
            m => m.State == MemberState.Alive && m.IsOurs && m != c.Subject && !open.ContainsKey(m.Name)
                && !c.Observers.ContainsKey(m.Name));
        foreach (MemberEntry observer in more)
        {
            c.Observers[observer.Name] = null;
            Tell(observer, Encoding.UTF8.GetBytes(c.Subject.Name), c.Incarnation, null, e);
        }
    }

    private bool Ended(long exchangeId, Finding? finding, Instant now, GossipEffects e)
    {
        foreach (Case c in all)
        {
            if (c.ExchangeId == exchangeId && exchangeId != 0)
            {
                c.ExchangeId = 0;
                if (finding is { } found)
                {
                    Found(c, found, now, e);
                    Sweep(now, e);
                }

                return true;
            }
        }

        return false;
    }

    private void Found(Case c, Finding finding, Instant now, GossipEffects e)
    {
        // A kernel that answers proves nothing against an agent whose answer may still come.
        if (c.Own is null || (c.Own == Finding.HostUp && finding == Finding.Alive))
        {
            c.Own = finding;
            foreach (MemberEntry asker in c.Askers.Select(name => members.Find(name)).OfType<MemberEntry>())
            {
                Tell(asker, Encoding.UTF8.GetBytes(c.Subject.Name), c.Incarnation, finding, e);
            }

            Decide(c, now);
        }
    }

    private void Hear(in JuryMessage message, Finding finding, Instant now, GossipEffects e)
    {
        if (members.Find(message.Subject) is { } subject && open.TryGetValue(subject.Name, out Case? c)
            && c.Presides && message.Incarnation == c.Incarnation && members.Find(message.Sender) is { } sender
            && c.Observers.TryGetValue(sender.Name, out Finding? earlier) && earlier is null)
        {
            c.Observers[sender.Name] = finding;
            Decide(c, now);
            Sweep(now, e);
        }
        else
        {
            counters.Stale++;
        }
    }

    private void Decide(Case c, Instant now)
    {
        if (!c.Presides)
        {
            c.Closed = c.Own is not null;
        }
        else if (c.AnyAnswer)
        {
            c.Closed = true;
        }
        else if (c.IsComplete || now >= c.DecideBy)
        {
            c.Closed = true;
            Judge(c, now);
        }
    }

    private void Judge(Case c, Instant now)
    {
        bool stands = c.Subject.IsLive && c.Subject.Incarnation == c.Incarnation;
        if (!stands || c.Silent < MinSilent || IsStale(c, now) || IsThisSideInDoubt(now))
        {
            return;
        }

        readySince = ready.Count == 0 ? now : readySince;
        ready.Add(c);
    }

    /// <summary>
    /// True for a judge that was stopped, or starved, in the middle: the findings that it reads now are of a time that is
    /// over, and the network may be another.
    /// </summary>
    private bool IsStale(Case c, Instant now) => now > c.DecideBy + options.LookTime;

    /// <summary>
    /// Says all verdicts that are ready at once, so that everybody hears of a cut as one; they wait a moment for
    /// those that are nearly ready.
    /// </summary>
    private void Pronounce(Instant now, GossipEffects e)
    {
        if (ready.Count == 0 || (now < PronounceBy && open.Values.Any(static c => c.Presides && !c.Closed && !c.AnyAnswer)))
        {
            return;
        }

        List<GossipMessage.Dead> verdicts = [];
        foreach (Case c in ready.Where(c => c.Subject.IsLive && c.Subject.Incarnation == c.Incarnation && !IsStale(c, now)))
        {
            counters.FusedVerdicts++;
            e.Events.Add(new GossipEvent.Judged(c.Subject.Name, c.Silent));
            verdicts.Add(members.Death(c.Subject, members.Self.Name) with { Witnesses = (uint)c.Silent });
        }

        ready.Clear();
        foreach (GossipMessage.Dead verdict in verdicts)
        {
            members.Apply(verdict, now, e);
        }

        foreach (MemberEntry peer in members.Ring.Pick(options.DirectFanout, static m => m.State == MemberState.Alive))
        {
            outbox.Send(e, peer.Address, verdicts);
        }
    }

    /// <summary>Half of those who were there a moment ago, or more, are silent or lost: the fault may be this side's.</summary>
    private bool IsThisSideInDoubt(Instant now)
    {
        int lost = ready.Count
            + open.Values.Count(c => c.Presides && !c.AnyAnswer && c.Subject.IsLive && !ready.Contains(c));
        int recent = members.Others.Count(
            m => m.State == MemberState.Dead && m.Presence != Presence.AgentDown && now - m.Since < options.RecentLoss);
        int all = members.LiveCount + recent;
        return all > 2 && 2 * (lost + recent) >= all;
    }

    /// <param name="finding">Null: the other is to look.</param>
    private void Tell(MemberEntry to, ReadOnlySpan<byte> subject, uint incarnation, Finding? finding, GossipEffects e)
    {
        JuryMessage message = new() { Sender = selfUtf8, Subject = subject, Incarnation = incarnation, Finding = finding };
        outbox.SendUser(e, to.Address, message.Write(stackalloc byte[JuryMessage.MaxBytes]));
    }

    /// <summary>Ends what is decided, and says what is ready.</summary>
    private void Sweep(Instant now, GossipEffects e)
    {
        for (int i = all.Count - 1; i >= 0; i--)
        {
            if (all[i].Closed)
            {
                open.Remove(all[i].Subject.Name);
                all.RemoveAt(i);
            }
        }

        Pronounce(now, e);
    }
}
