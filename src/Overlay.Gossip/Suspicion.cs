using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>
/// The time a suspect has to object. It shrinks from the longest to the shortest with each further accuser
/// (Lifeguard's local health aware suspicion).
/// </summary>
internal sealed class Suspicion
{
    private readonly SortedSet<string> accusers = new(StringComparer.Ordinal);
    private readonly Instant start;
    private readonly TimeSpan min;
    private readonly TimeSpan max;
    private readonly TimeSpan objection;
    private readonly int expected;
    private readonly int members;
    private Instant notBefore;

    /// <param name="members">Live members, this one included.</param>
    public Suspicion(SwimOptions options, int members, string firstAccuser, Instant now)
    {
        double scale = Math.Max(1.0, Math.Floor(Math.Log10(Math.Max(1, members)) * 1000) / 1000);
        start = now;
        this.members = members;
        min = options.SuspicionInterval * (options.SuspicionMultiplier * scale);
        objection = options.ObjectionTime;
        expected = members - 2 < options.SuspicionConfirmations ? 0 : options.SuspicionConfirmations;
        max = min * options.SuspicionMaxTimeoutMultiplier;
        FirstAccuser = firstAccuser;
    }

    public string FirstAccuser { get; }

    public int Confirmations => accusers.Count;

    public Instant Deadline => start + Timeout > notBefore ? start + Timeout : notBefore;

    /// <summary>
    /// Puts the end off while this node hears nobody, unless nobody else is there to hear or twice the longest time is
    /// over; where nobody else could accuse, the time is the shortest, and four times that is the end. True where that
    /// was done.
    /// </summary>
    public bool PutOff(Instant until)
    {
        if (members < 3 || until >= start + (expected == 0 ? min * 4 : max * 2))
        {
            return false;
        }

        notBefore = until;
        return true;
    }

    private TimeSpan Timeout
    {
        get
        {
            if (expected == 0)
            {
                return min;
            }

            TimeSpan timeout = max - ((max - min) * (Math.Log(accusers.Count + 1) / Math.Log(expected + 1)));
            timeout = TimeSpan.FromMilliseconds(Math.Floor(timeout.TotalMilliseconds));
            return timeout < min ? min : timeout;
        }
    }

    /// <summary>False where the accuser is known already or enough have spoken.</summary>
    public bool Confirm(string accuser, Instant now)
    {
        if (accusers.Count >= expected
            || string.Equals(accuser, FirstAccuser, StringComparison.Ordinal)
            || !accusers.Add(accuser))
        {
            return false;
        }

        notBefore = now + objection;
        return true;
    }
}
