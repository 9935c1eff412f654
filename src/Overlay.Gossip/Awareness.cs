namespace Overlay.Gossip;

/// <summary>
/// Lifeguard's local health (arXiv 1707.00788): 0 is healthy; a node that misses answers suspects itself first and
/// gives others more time.
/// </summary>
internal sealed class Awareness(int maxMultiplier)
{
    public int Score { get; private set; }

    public void Add(int delta) => Score = Math.Clamp(Score + delta, 0, maxMultiplier - 1);

    public TimeSpan Scale(TimeSpan interval) => interval * (Score + 1);
}
