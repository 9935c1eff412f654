using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Gossip.Verdicts;

/// <summary>
/// Watches the other ends of this node's sessions with managers and agents more closely than the rest: the agent pings
/// its manager, the manager counts on being pinged. An end that hears nothing for a while has first evidence against
/// the other and gives it to the <see cref="Jury"/>; again, ever more rarely, while the silence lasts.
/// </summary>
/// <remarks>
/// The pings are memberlist's, on the port of gossip: a beat inside the session would have to go through TLS, HTTP/2 and
/// a thread pool at both ends. What the session alone can tell, that its connection broke, ends the watch.
/// A clock that is looked at late was starved itself: whatever it missed meanwhile is not the others' silence.
/// </remarks>
internal sealed class SessionWatch(SwimOptions options, MemberList members, Jury jury, Outbox outbox, Prng prng)
{
    private static readonly TimeSpan FirstRepeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRepeat = TimeSpan.FromSeconds(30);

    /// <summary>What a manager of many agents is pinged in all is bounded by making each of them rarer.</summary>
    private static readonly TimeSpan PerMember = TimeSpan.FromMilliseconds(3);

    /// <summary>So few are looked at with every ping, which costs less than to wake up for nothing.</summary>
    private const int Few = 8;

    private readonly SortedDictionary<string, Watch> open = new(StringComparer.Ordinal);
    private readonly List<Watch> asking = [];

    /// <summary>When the first of those that ping us could be silent; too early at most, as most pings move nothing.</summary>
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

    private TimeSpan Interval
    {
        get
        {
            TimeSpan fair = PerMember * members.LiveCount;
            return fair > options.SessionPingInterval ? fair : options.SessionPingInterval;
        }
    }

    private TimeSpan Silence => Interval + options.SessionGrace;

    /// <param name="asks">True: this end pings; false: the other one does.</param>
    public void Begin(string name, bool asks, Instant now)
    {
        End(name);
        Watch watch = new(name, asks) { SilentAt = now + Silence, PingAt = asks ? now + Interval : Instant.Never };
        open[name] = watch;
        if (asks)
        {
            asking.Add(watch);
        }
        else
        {
            listenUntil = Instant.Min(listenUntil, watch.SilentAt);
        }
    }

    /// <summary>The session ended by either end: what is heard of it no more proves nothing.</summary>
    public void End(string name)
    {
        if (open.Remove(name, out Watch? watch))
        {
            asking.Remove(watch);
        }
    }

    /// <summary>A ping came from this member.</summary>
    public void Pinged(string name, Instant now)
    {
        if (open.TryGetValue(name, out Watch? watch))
        {
            Heard(watch, now);
        }
    }

    /// <summary>False where the answer is to none of these pings.</summary>
    public bool Acked(uint sequence, Instant now)
    {
        foreach (Watch watch in asking)
        {
            if (watch.IsAnswer(sequence))
            {
                watch.PingAt = watch.AskedAt + Interval;
                watch.Unanswered = 0;
                Heard(watch, now);
                return true;
            }
        }

        return false;
    }

    /// <summary>A member answered a probe: one that reached it directly has told it of us as well as a ping would.</summary>
    public void Answered(string name, bool directly, Instant now)
    {
        if (open.TryGetValue(name, out Watch? watch))
        {
            watch.PingAt = watch.Asks && directly ? now + Interval : watch.PingAt;
            watch.Unanswered = 0;
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
            if (late)
            {
                watch.SilentAt = now + Silence;
            }
            else if (watch.SilentAt <= now)
            {
                silent.Add(watch.Name);
                watch.SilentAt = now + watch.Repeat;
                watch.Repeat = watch.Repeat * 2 < MaxRepeat ? watch.Repeat * 2 : MaxRepeat;
            }

            if (watch.PingAt <= now)
            {
                Ping(watch, now, e);
            }
        }

        Listen();

        // The jury's events may end a watch.
        foreach (string name in silent)
        {
            jury.Hint(name, now, e);
        }
    }

    private void Heard(Watch watch, Instant now)
    {
        watch.SilentAt = now + Silence;
        watch.Repeat = FirstRepeat;
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
            listenUntil = watch.Asks ? listenUntil : Instant.Min(listenUntil, watch.SilentAt);
        }
    }

    /// <summary>One that is not answered is soon repeated: a lost packet must not look like silence.</summary>
    private void Ping(Watch watch, Instant now, GossipEffects e)
    {
        bool isFirst = watch.Unanswered == 0;
        watch.Sequence = isFirst ? (uint)prng.NextUInt64() : watch.Sequence + 1;
        watch.AskedAt = isFirst ? now : watch.AskedAt;
        watch.Unanswered++;
        watch.PingAt = now + (now - watch.AskedAt < options.SessionGrace ? options.SessionPingRetry : Interval);
        if (members.Find(watch.Name) is { } member)
        {
            // Both ends of a session are ours: the answer goes where the ping comes from.
            outbox.Send(e, member.Address, new GossipMessage.Ping(watch.Sequence, watch.Name, null, members.Self.Name));
        }
    }

    private sealed class Watch(string name, bool asks)
    {
        public string Name => name;

        public bool Asks => asks;

        public Instant SilentAt { get; set; }

        public TimeSpan Repeat { get; set; } = FirstRepeat;

        /// <summary>When the first ping of those that wait for an answer was sent.</summary>
        public Instant AskedAt { get; set; }

        public Instant PingAt { get; set; }

        /// <summary>Of the last ping; those before it have the numbers below.</summary>
        public uint Sequence { get; set; }

        public uint Unanswered { get; set; }

        public Instant NextDeadline => Instant.Min(PingAt, SilentAt);

        public bool IsAnswer(uint sequence) => Sequence - sequence < Unanswered;
    }
}
