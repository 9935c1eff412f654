namespace Overlay.Cluster;

/// <summary>What is due next in replacing the gossip key.</summary>
public enum KeyStep
{
    None,

    /// <summary>A key is to be made and given to every node.</summary>
    Begin,

    /// <summary>Every node has it: it seals from now on.</summary>
    Use,

    /// <summary>Every node seals with it: what is revoked goes.</summary>
    Finish,
}
