namespace Overlay.Daemon.Manager;

/// <summary>The key that this host's disk opens with, as an operator gave it or the cluster replaced it; in memory only.</summary>
internal sealed class ManagerLock
{
    private volatile byte[] key = [];

    /// <summary>32 bytes; empty: none is needed, or none was given.</summary>
    public byte[] Key
    {
        get => key;
        set => key = value;
    }
}
