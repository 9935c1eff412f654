using Overlay.Primitives;

namespace Overlay.Node;

/// <summary>
/// One verdict from two sources: what the sessions between managers and agents tell of their other ends goes to
/// gossip as evidence, and gossip alone judges.
/// </summary>
public sealed partial class Node
{
    private readonly Sessions sessions;

    /// <summary>The other end of a session was heard of. For one that gossip holds dead this is the first sign of life.</summary>
    public void SessionHeard(string other, Instant now, NodeEffects effects)
    {
        if (other != Id.ToString())
        {
            sessions.Heard(other, now);
            swim.HintAlive(other, now, effects.Gossip);
        }
    }

    public void SessionClosed(string other) => sessions.Closed(other);

    /// <summary>The member whose manager API has this address; null: none is known.</summary>
    public string? ManagerAt(string controlAddress) => intent.Nodes.FirstOrDefault(n => n.ControlAddress == controlAddress)?.Id;

    private void WatchSessions(Instant now, NodeEffects effects)
    {
        foreach (string silent in sessions.Advance(now))
        {
            swim.Hint(silent, now, effects.Gossip);
        }
    }
}
