using Overlay.Primitives;

namespace Overlay.Gossip.Steadiness;

/// <summary>Pings to one member whose steadiness is in doubt, and which of them it answered.</summary>
internal sealed class Trial(MemberEntry subject, Instant now)
{
    /// <summary>The pings that are judged by.</summary>
    public const int Pings = 10;

    /// <summary>With those that only wait for a sign that the member can still be heard.</summary>
    public const int MaxPings = 22;

    private const int EnoughAnswers = 5;
    private const int NearlyAll = 9;

    private readonly uint[] sequences = new uint[MaxPings];
    private readonly Instant[] sentAt = new Instant[MaxPings];
    private readonly bool[] answered = new bool[MaxPings];

    /// <summary>How many pings were sent when the member was last heard.</summary>
    private int heardAfter;

    public MemberEntry Subject => subject;

    public Instant NextDeadline { get; private set; } = now;

    /// <summary>The stream that asks, too; −1: none was tried.</summary>
    public long ExchangeId { get; set; } = -1;

    public bool AnsweredByStream { get; set; }

    public int Sent { get; private set; }

    public bool IsPassed => Answers >= EnoughAnswers;

    /// <summary>
    /// Datagrams do not reach it, and streams do: it works. One stream alone says little of a member that answers some pings:
    /// of those that lose 80 % every fourth would pass by it.
    /// </summary>
    public bool IsReachedByStreamsAlone => AnsweredByStream && !answered.Contains(true);

    /// <summary>By chance alone one that loses most of what comes in does not come so far.</summary>
    public bool IsPassedWell => Answers >= NearlyAll;

    private int Answers => answered.AsSpan(0, Pings).Count(true);

    public void Asked(uint sequence, Instant at, TimeSpan pause)
    {
        (sequences[Sent], sentAt[Sent]) = (sequence, at);
        Sent++;
        NextDeadline = at + pause;
    }

    public void LookAgainAt(Instant at) => NextDeadline = at;

    public bool Answered(uint sequence)
    {
        int index = Array.IndexOf(sequences, sequence, 0, Sent);
        if (index < 0)
        {
            return false;
        }

        answered[index] = true;
        heardAfter = Math.Max(heardAfter, index + 1);
        return true;
    }

    /// <summary>It spoke by itself: what it missed until now was not the end of it.</summary>
    public void Spoke() => heardAfter = Sent;

    /// <summary>
    /// Most pings were missed, and the member was heard after those: a cut in both directions does not look like that.
    /// </summary>
    public bool IsFailed(Instant then)
    {
        int missed = 0;
        for (int i = 0; i < Math.Min(Sent, Pings) && sentAt[i] <= then && missed <= Pings - EnoughAnswers; i++)
        {
            missed += answered[i] ? 0 : 1;
            if (missed > Pings - EnoughAnswers)
            {
                return heardAfter > i && !IsReachedByStreamsAlone;
            }
        }

        return false;
    }

    /// <summary>No answer can come any more.</summary>
    public bool IsOver(Instant then) => Sent == MaxPings && sentAt[^1] <= then;
}
