namespace Overlay.Gossip.Serf;

/// <summary>serf's words and numbers for what a member is to its layer.</summary>
public enum SerfStatus
{
    None = 0,
    Alive = 1,

    /// <summary>It said that it leaves, and is still heard.</summary>
    Leaving = 2,
    Left = 3,

    /// <summary>It fell silent without a word.</summary>
    Failed = 4,
}
