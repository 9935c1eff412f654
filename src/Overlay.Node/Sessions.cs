using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// Watches the sessions between managers and agents: both ends beat, and an end that hears nothing for a while has
/// first evidence against the other. It says so again, ever more rarely, while the silence lasts.
/// </summary>
/// <remarks>
/// A loop that comes to its clock late was starved itself: whatever it missed meanwhile is not the others' silence.
/// </remarks>
public sealed class Sessions(TimeSpan silence)
{
    private static readonly TimeSpan FirstRepeat = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MaxRepeat = TimeSpan.FromSeconds(30);

    private readonly SortedDictionary<string, Session> open = new(StringComparer.Ordinal);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    public int Count => open.Count;

    /// <summary>Something came from the other end, now.</summary>
    public void Heard(string name, Instant now)
    {
        if (!open.TryGetValue(name, out Session? session))
        {
            open[name] = session = new();
        }

        session.HeardAt = now;
        session.NextHint = now + silence;
        session.Repeat = FirstRepeat;
        // The deadline is only looked at when it comes: most beats move nothing.
        NextDeadline = Instant.Min(NextDeadline, session.NextHint);
    }

    /// <summary>The session ended by either end: what is heard of it no more proves nothing.</summary>
    public void Closed(string name) => open.Remove(name);

    /// <summary>When the other end was last heard of; null: there is no session.</summary>
    public Instant? HeardAt(string name) => open.TryGetValue(name, out Session? session) ? session.HeardAt : null;

    /// <summary>Those that are silent too long.</summary>
    public IReadOnlyList<string> Advance(Instant now)
    {
        List<string> silent = [];
        if (now < NextDeadline)
        {
            return silent;
        }

        bool late = now - NextDeadline > silence * 0.5;
        NextDeadline = Instant.Never;
        foreach ((string name, Session session) in open)
        {
            if (late)
            {
                session.NextHint = now + silence;
            }
            else if (session.NextHint <= now)
            {
                silent.Add(name);
                session.NextHint = now + session.Repeat;
                session.Repeat = session.Repeat * 2 < MaxRepeat ? session.Repeat * 2 : MaxRepeat;
            }

            NextDeadline = Instant.Min(NextDeadline, session.NextHint);
        }

        return silent;
    }

    private sealed class Session
    {
        public Instant HeardAt { get; set; }

        public Instant NextHint { get; set; }

        public TimeSpan Repeat { get; set; }
    }
}
