namespace Overlay.Gossip;

/// <summary>
/// The one verdict on a member for all that is derived from it: names, forwarding entries, listings. It differs from
/// the protocol's state only for the dead: while their host answers, what they said still stands, because the data
/// plane outlives the agent.
/// </summary>
public enum Presence
{
    Alive,

    /// <summary>Accused, or declared dead a moment ago while this node still waits for a word of the host.</summary>
    Suspect,

    /// <summary>
    /// Dead to the protocol, but its host's kernel answers: the agent is down or hangs, and traffic goes on. Holds
    /// for <see cref="SwimOptions.AgentDownHold"/> at most.
    /// </summary>
    AgentDown,

    /// <summary>Alive, but UDP does not pass: only streams do. Most likely a firewall.</summary>
    Degraded,

    /// <summary>
    /// It answers, but was lost again and again: it counts as lost until it kept quiet for a while, see
    /// <see cref="SwimOptions.FlapQuiet"/>.
    /// </summary>
    HeldDown,

    Dead,

    Left,
}
