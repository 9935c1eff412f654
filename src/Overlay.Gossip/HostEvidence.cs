using Overlay.Primitives;

namespace Overlay.Gossip;

/// <summary>What is known of the host under a member that is suspect or held; see <see cref="HostChecks"/>.</summary>
internal sealed class HostEvidence
{
    /// <summary>Null: no word of the host yet, for or against it.</summary>
    public bool? Answers { get; set; }

    /// <summary>Tries in a row without a word of the host.</summary>
    public int Misses { get; set; }

    /// <summary>The try under way; 0: none.</summary>
    public long ExchangeId { get; set; }

    /// <summary>When the try under way is given up.</summary>
    public Instant GiveUpAt { get; set; } = Instant.Never;

    /// <summary>No further try before this.</summary>
    public Instant NextAt { get; set; }
}
