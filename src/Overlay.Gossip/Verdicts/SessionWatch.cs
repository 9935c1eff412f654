using System.Net;
using Overlay.Primitives;

namespace Overlay.Gossip.Verdicts;

/// <summary>
/// Watches the other ends of this node's sessions with managers and agents more closely than the rest. The agent gives
/// its manager a sign all the time, which is not answered; the manager counts on it, and asks where one is missing. The
/// agents of a manager ask it in turn, so that some of them soon notice when it is gone. An end that gets no answer to
/// several questions has first evidence against the other and gives it to the <see cref="Jury"/>; again, ever more
/// rarely, while the silence lasts.
/// </summary>
/// <remarks>
/// All this goes by the port of gossip: a beat inside the session would have to go through TLS, HTTP/2 and
/// a thread pool at both ends. What the session alone can tell, that its connection broke, ends the watch.
/// A clock that is looked at late was starved itself: whatever it missed meanwhile is not the others' silence.
/// </remarks>
internal sealed class SessionWatch(
    SwimOptions options, MemberList members, Jury jury, Outbox outbox, Prng prng, GossipCounters counters)
{
    private static readonly TimeSpan FirstRepeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRepeat = TimeSpan.FromSeconds(30);

    /// <summary>What a manager of many agents is told in all is bounded by making each of them rarer.</summary>
    private static readonly TimeSpan PerMember = TimeSpan.FromMilliseconds(3);

    /// <summary>Among so few signs are cheap; among more they are rarer in proportion, by half at most, before the above counts.</summary>
    private const double Cheap = 33;

    private const double Rarer = 1.5;

    /// <summary>The same for what it is asked: about ten questions a second are enough to notice that it is gone.</summary>
    private static readonly TimeSpan PerQuestion = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RarestQuestion = TimeSpan.FromSeconds(10);

    /// <summary>So few are looked at with every sign, which costs less than to wake up for nothing.</summary>
    private const int Few = 8;

    private readonly SortedDictionary<string, Watch> open = new(StringComparer.Ordinal);
    private readonly Dictionary<ulong, Watch> bySender = [];
    private readonly List<Watch> asking = [];

    /// <summary>When the first of those that give signs could be missed; too early at most, as most signs move nothing.</summary>
    private Instant listenUntil = Instant.Never;

    public Instant NextDeadline
    {
        get
        {
            Instant next = listenUntil;
            foreach (Watch watch in asking)
            {
                next = Instant.Min(next, watch.NextDeadline);
            }

            return next;
        }
    }

    private TimeSpan Interval =>
        Longer(PerMember * members.LiveCount, options.SessionPingInterval * Math.Clamp(members.LiveCount / Cheap, 1, Rarer));

    private TimeSpan Silence => Interval + options.SessionGrace;

    /// <summary>How often an agent asks: the more of them there are, the more rarely each.</summary>
    private TimeSpan QuestionInterval
    {
        get
        {
            TimeSpan fair = PerQuestion * members.LiveCount;
            return Longer(fair < RarestQuestion ? fair : RarestQuestion, Interval);
        }
    }

    /// <param name="asks">True: this is the agent's end; false: the manager's.</param>
    public void Begin(string name, bool asks, Instant now)
    {
        End(name);
        Watch watch = new(name, asks) { SignAt = asks ? now + Interval : Instant.Never };
        open[name] = watch;
        bySender[watch.Sender] = watch;
        Heard(watch, now);
        if (asks)
        {
            // Agents that came together do not ask together.
            watch.QuestionAt = now + Interval + (prng.NextDouble() * (QuestionInterval - Interval));
            asking.Add(watch);
        }
        else
        {
            listenUntil = Instant.Min(listenUntil, watch.NextDeadline);
        }
    }

    /// <summary>The session ended by either end: what is heard of it no more proves nothing.</summary>
    public void End(string name)
    {
        if (open.Remove(name, out Watch? watch))
        {
            bySender.Remove(watch.Sender);
            asking.Remove(watch);
        }
    }

    /// <summary>A probe's ping came from this member.</summary>
    public void Pinged(string name, Instant now)
    {
        if (open.TryGetValue(name, out Watch? watch))
        {
            Heard(watch, now);
        }
    }

    /// <summary>What the other end said.</summary>
    /// <returns>Its name, where a session with it is open.</returns>
    public string? Hear(in BeatMessage beat, IPEndPoint from, Instant now, GossipEffects e)
    {
        if (beat.Kind == BeatKind.Question)
        {
            Send(from, new(BeatKind.Answer, members.Self.NameHash, beat.Number), e);
        }

        if (!bySender.TryGetValue(beat.Sender, out Watch? watch)
            || (beat.Kind == BeatKind.Answer && !watch.IsAnswer(beat.Number)))
        {
            counters.Stale++;
            return null;
        }

        Heard(watch, now);
        return watch.Name;
    }

    /// <summary>A member answered a probe: one that reached it directly has told it of us as well as a sign would.</summary>
    public void Answered(string name, bool directly, Instant now)
    {
        if (open.TryGetValue(name, out Watch? watch))
        {
            watch.SignAt = watch.Asks && directly ? now + Interval : watch.SignAt;
            Heard(watch, now);
        }
    }

    public void Advance(Instant now, GossipEffects e)
    {
        Instant due = NextDeadline;
        if (now < due)
        {
            return;
        }

        bool late = now - due > Silence * 0.5;
        List<string> silent = [];
        foreach (Watch watch in open.Values)
        {
            if (late && watch.SilentAt != Instant.Never)
            {
                watch.SilentAt = now + Silence;
            }
            else if (watch.SilentAt <= now)
            {
                silent.Add(watch.Name);
                watch.SilentAt = now + watch.Repeat;
                watch.Repeat = watch.Repeat * 2 < MaxRepeat ? watch.Repeat * 2 : MaxRepeat;
            }

            if (watch.QuestionAt <= now || (watch.SignAt <= now && watch.QuestionAt - now < Interval * 0.5))
            {
                Ask(watch, now, e);
            }
            else if (watch.SignAt <= now)
            {
                watch.SignAt = now + Interval;
                Send(members.Find(watch.Name)?.Address, new(BeatKind.Sign, members.Self.NameHash, 0), e);
            }
        }

        Listen();

        // The jury's events may end a watch.
        foreach (string name in silent)
        {
            jury.Hint(name, now, e);
        }
    }

    private static TimeSpan Longer(TimeSpan one, TimeSpan other) => one > other ? one : other;

    private void Heard(Watch watch, Instant now)
    {
        watch.Unanswered = 0;
        watch.Repeat = FirstRepeat;
        watch.QuestionAt = now + (watch.Asks ? QuestionInterval : Interval + (options.SessionGrace * 0.3));
        watch.SilentAt = watch.Asks ? Instant.Never : now + Silence;
        if (!watch.Asks && open.Count <= Few)
        {
            Listen();
        }
    }

    private void Listen()
    {
        listenUntil = Instant.Never;
        foreach (Watch watch in open.Values)
        {
            listenUntil = watch.Asks ? listenUntil : Instant.Min(listenUntil, watch.NextDeadline);
        }
    }

    /// <summary>A question that is not answered is soon repeated: a lost packet must not look like silence.</summary>
    private void Ask(Watch watch, Instant now, GossipEffects e)
    {
        if (watch.Unanswered == 0)
        {
            watch.Number = (uint)prng.NextUInt64();
            watch.AskedAt = now;
            watch.SilentAt = watch.Asks ? now + options.SessionGrace : watch.SilentAt;
        }
        else
        {
            watch.Number++;
        }

        watch.Unanswered++;
        watch.QuestionAt = now + (now - watch.AskedAt < options.SessionGrace ? options.SessionPingRetry : Interval);
        watch.SignAt = watch.Asks ? now + Interval : Instant.Never;
        Send(members.Find(watch.Name)?.Address, new(BeatKind.Question, members.Self.NameHash, watch.Number), e);
    }

    private void Send(IPEndPoint? to, BeatMessage beat, GossipEffects e)
    {
        if (to is not null)
        {
            outbox.SendUser(e, to, beat.Write(stackalloc byte[BeatMessage.MaxBytes]));
        }
    }

    private sealed class Watch(string name, bool asks)
    {
        public string Name => name;

        public ulong Sender { get; } = MemberDigest.HashOf(name);

        /// <summary>The other end is a manager.</summary>
        public bool Asks => asks;

        /// <summary>Without a word until then the other end is silent.</summary>
        public Instant SilentAt { get; set; }

        public TimeSpan Repeat { get; set; } = FirstRepeat;

        /// <summary>When the first question of those that wait for an answer was sent.</summary>
        public Instant AskedAt { get; set; }

        public Instant QuestionAt { get; set; }

        public Instant SignAt { get; set; }

        /// <summary>Of the last question; those before it have the numbers below.</summary>
        public uint Number { get; set; }

        public uint Unanswered { get; set; }

        public Instant NextDeadline => Instant.Min(SignAt, Instant.Min(QuestionAt, SilentAt));

        public bool IsAnswer(uint number) => Number - number < Unanswered;
    }
}
