namespace Overlay.Gossip.Serf;

/// <summary>What serf's key queries ask of whoever gets them.</summary>
public enum KeyQuestion
{
    /// <summary>Opens packets with this key, too.</summary>
    Install,

    /// <summary>Seals with this key from now on.</summary>
    Use,

    /// <summary>Forgets this key, which does not seal.</summary>
    Remove,

    /// <summary>Says which keys it holds.</summary>
    List,
}
