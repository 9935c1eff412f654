using Overlay.Primitives;

namespace Overlay.Gossip.Steadiness;

/// <summary>Who said what of this life of a member's steadiness, and when this node heard of it.</summary>
internal sealed class Tally(ushort life)
{
    private const int MaxObservers = 16;

    /// <summary>Alerts within this are of one trouble.</summary>
    public static readonly TimeSpan Memory = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Who is cut off has said its last before all alerts about that: those of one that spoke on and heard nothing come
    /// over a longer time.
    /// </summary>
    private static readonly TimeSpan MinSpan = TimeSpan.FromSeconds(3);

    private readonly SortedDictionary<string, Word> words = new(StringComparer.Ordinal);

    public ushort Life => life;

    public bool IsEmpty => words.Count == 0;

    /// <summary>Observers whose alerts stand, however old.</summary>
    public int Standing => words.Values.Count(static w => w.Kind != AlertKind.Steady);

    /// <summary>Whether this observer found too few answers, and did not take that back.</summary>
    public bool Stands(string observer) => words.TryGetValue(observer, out Word word) && word.Kind == AlertKind.Lossy;

    /// <summary>False: the observer has said something later already, or there are too many observers.</summary>
    public bool Take(Alert alert, Instant now)
    {
        if (words.TryGetValue(alert.Observer, out Word former) ? former.Number > alert.Number : words.Count >= MaxObservers)
        {
            return false;
        }

        bool goesOn = former.Number != 0 && former.Kind != AlertKind.Steady && now - former.At < Memory;
        words[alert.Observer] = new(alert.Number, alert.Kind, goesOn ? former.First : now, now);
        return true;
    }

    /// <summary>Whether so many observers agree, on evidence that a mere cut does not leave behind.</summary>
    public bool Agrees(int enough, Instant now)
    {
        List<Word> recent = [.. words.Values.Where(w => w.Kind != AlertKind.Steady && now - w.At < Memory)];
        return recent.Count >= enough
            && (recent.Count(static w => w.Kind == AlertKind.Lossy) >= enough
                || recent.Max(static w => w.At) - recent.Min(static w => w.First) >= MinSpan);
    }

    /// <summary>Forgets what is old.</summary>
    /// <returns>The observers whose word is forgotten.</returns>
    public IReadOnlyList<string> Expire(Instant now)
    {
        List<string> old = [.. words.Where(w => now - w.Value.At >= Memory).Select(static w => w.Key)];
        old.ForEach(o => words.Remove(o));
        return old;
    }

    private readonly record struct Word(ulong Number, AlertKind Kind, Instant First, Instant At);
}
