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
    private readonly int expected;

    /// <param name="members">Live members, this one included.</param>
    public Suspicion(SwimOptions options, int members, string firstAccuser, Instant now)
    {
        double scale = Math.Max(1.0, Math.Floor(Math.Log10(Math.Max(1, members)) * 1000) / 1000);
        start = now;
        min = options.ProbeInterval * (options.SuspicionMultiplier * scale);
        expected = options.SuspicionMultiplier - 2;
        if (expected < 0 || members - 2 < expected)
        {
            expected = 0;
        }

        max = min * options.SuspicionMaxTimeoutMultiplier;
        FirstAccuser = firstAccuser;
    }

    public string FirstAccuser { get; }

    public int Confirmations => accusers.Count;

    public Instant Deadline => start + Timeout;

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
    public bool Confirm(string accuser) =>
        accusers.Count < expected
        && !string.Equals(accuser, FirstAccuser, StringComparison.Ordinal)
        && accusers.Add(accuser);
}
