using Overlay.Primitives;

namespace Overlay.Gossip.Cuts;

/// <summary>How a member's losses and returns are let through to all that is derived from them.</summary>
internal sealed class Standing
{
    /// <summary>It is lost, and waits for the others of its cut.</summary>
    public bool Departing { get; set; }

    /// <summary>It is back, but too unsteady to be believed before this; null: believed.</summary>
    public Instant? QuietUntil { get; set; }

    /// <summary>Losses in a row that came soon after a return.</summary>
    public int Flaps { get; set; }

    /// <summary>When it last came back; null: it was never lost.</summary>
    public Instant? ReturnedAt { get; set; }

    public bool WasLost { get; set; }

    /// <summary>Several observers could not reach it steadily; until then it counts for nothing; null: it is steady.</summary>
    public Instant? UnsteadyUntil { get; set; }

    /// <summary>This node puts it to no trial before this.</summary>
    public Instant TrialAt { get; set; }
}
