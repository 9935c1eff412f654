namespace Overlay.Gossip.Verdicts;

/// <summary>What one observer's look at a member came to.</summary>
internal enum Finding : byte
{
    /// <summary>The observer does not trust itself: it was late, or its own health is bad.</summary>
    Unsure = 0,

    /// <summary>The member's agent answered.</summary>
    Alive = 1,

    /// <summary>Only the host's kernel answered: the agent is down, or hangs.</summary>
    HostUp = 2,

    /// <summary>Neither answered anything, to several packets and a dial.</summary>
    Silent = 3,
}
